"""Real photographs through the folder provider: positions, directions and 360° pictures as cameras write them."""

import asyncio
import io
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageFilter
from pyproj import Geod

from geolocate.collection import validate_collection
from geolocate.collection.importing import ImportOrder, import_folder, owner_rights
from geolocate.manifest import read_manifest
from geolocate.providers.folder import FolderOfPhotos, PhotoFolder
from geolocate.providers.picture_tags import Projection, read_tags
from geolocate.records import ImageReason, SamplePoint, View
from geolocate.storage import DataRoot
from tests.providers.real_photos import real_photos  # noqa: F401 - a fixture

RIGHTS = owner_rights("MIT", "GeoVisio", "open-licence")


def sun_at(lat, lon, when):
    """Azimuth and elevation of the sun, degrees, to about 0.5 (Astronomical Almanac's low-precision formulas)."""
    days = (when - datetime(2000, 1, 1, 12, tzinfo=UTC)) / timedelta(days=1)
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude = math.radians(280.46 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.02 * math.sin(2 * anomaly))
    tilt = math.radians(23.439)
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    sidereal = math.radians((18.697374558 + 24.06570982441908 * days) % 24 * 15 + lon)
    hour, north = sidereal - ascension, math.radians(lat)
    height = math.asin(
        math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(declination) * math.cos(hour)
    )
    azimuth = math.atan2(-math.sin(hour), math.tan(declination) * math.cos(north) - math.sin(north) * math.cos(hour))
    return math.degrees(azimuth) % 360, math.degrees(height)


def test_the_sun_stands_in_a_view_where_it_stood_in_the_sky(real_photos, tmp_path):  # noqa: F811
    """A 360° photograph of Hampshire, whose pose says 67°; EXIF says when by GPS: 14:40:19 UTC."""
    (tmp_path / "d1.jpg").write_bytes((real_photos / "d1.jpg").read_bytes())
    folder = PhotoFolder(tmp_path)
    (place,) = folder.places()
    azimuth, elevation = sun_at(place.lat, place.lon, datetime(2020, 9, 13, 14, 40, 19, tzinfo=UTC))
    provider = FolderOfPhotos(folder, RIGHTS)
    panorama = asyncio.run(provider.find(SamplePoint(place.point_id, 0, "g", place.lat, place.lon, 1, 1)))
    body = asyncio.run(provider.fetch(panorama, View(azimuth, elevation, 60.0, 240, 240))).body
    shine = np.asarray(Image.open(io.BytesIO(body)).convert("L").filter(ImageFilter.GaussianBlur(3)), float)
    row, column = np.unravel_index(shine.argmax(), shine.shape)
    off = math.degrees(math.atan(math.hypot(row - 119.5, column - 119.5) / (120 / math.tan(math.radians(30)))))
    assert off < 6


def test_a_rider_s_360_pictures_look_along_the_track(real_photos):  # noqa: F811
    """This camera writes a pose of 0 and the direction of travel into EXIF."""
    tags = [read_tags(real_photos / f"{number}.jpg") for number in range(1, 6)]
    assert {tag.projection for tag in tags} == {Projection.SPHERE}
    for here, there in pairwise(tag.position for tag in tags):
        bearing, _, metres = Geod(ellps="WGS84").inv(here.lon, here.lat, there.lon, there.lat)
        assert 0.5 < metres < 10
        assert math.cos(math.radians(bearing - here.heading)) > math.cos(math.radians(30))


@pytest.mark.parametrize(
    ("name", "projection", "heading", "known"),
    [
        ("b1.jpg", Projection.FLAT, 155.4, True),
        ("e1.jpg", Projection.FLAT, None, True),
        ("d1.jpg", Projection.SPHERE, 67.0, True),
        ("1_blurred.jpg", Projection.SPHERE, 349.1, True),
        ("crop.jpg", Projection.PART_OF_SPHERE, 144.0, True),
        ("invalid_exif.jpg", Projection.FLAT, None, False),
        ("e1_without_exif.jpg", Projection.FLAT, None, False),
    ],
)
def test_tags_of_seven_cameras(real_photos, name, projection, heading, known):  # noqa: F811
    tags = read_tags(real_photos / name)
    assert (tags.projection, tags.position.known) == (projection, known)
    assert tags.position.heading == (None if heading is None else pytest.approx(heading, abs=0.1))


def test_every_real_file_has_an_outcome(real_photos, tmp_path):  # noqa: F811
    root = DataRoot(tmp_path / "data")
    views = tuple(View(heading, 0.0, 90.0, 160, 120) for heading in (0.0, 90.0, 180.0))
    summary = import_folder(root, "real", ImportOrder(real_photos, "uk", RIGHTS, views=views))
    assert summary.points == len(list(real_photos.glob("*.jpg"))) == 21
    assert summary.statuses == {"complete": 1, "no_imagery": 3, "outside": 17}
    assert summary.reasons == {ImageReason.NO_POSITION: 2, ImageReason.WRONG_TYPE: 1}
    rows = read_manifest(root.collection("real") / "manifest")
    assert (set(rows["country"]), set(rows["camera"])) == ({"GB"}, {"Pixel 3"})
    assert sorted(rows["heading"]) == [0.0, 90.0, 180.0]
    assert validate_collection(root, "real").ok
