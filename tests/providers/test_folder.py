"""One's own photographs as places and panoramas."""

import asyncio
import io
import json
import math
import time

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from geolocate.collection.importing import owner_rights
from geolocate.errors import ProviderError
from geolocate.providers.folder import FolderOfPhotos, PhotoFolder
from geolocate.providers.photo_places import FolderOptions
from geolocate.records import ImageReason, SamplePoint, View
from tests.collection.stand_in import jpeg
from tests.providers.test_equirectangular import middle_of_mark, sphere_with_mark

RIGHTS = owner_rights("CC-BY-4.0", "Ann Example", "own")
SPHERE = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"
GPano:ProjectionType="equirectangular" GPano:PoseHeadingDegrees="{pose}" GPano:FullPanoWidthPixels="720"
GPano:CroppedAreaImageWidthPixels="{width}"/></rdf:RDF></x:xmpmeta>"""


def photo_with_gps(path, lat=(51, 30, 0), lon=(0, 6, 0), west=True, heading=None, picture=None, xmp=None):
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "N"
    gps[ExifTags.GPS.GPSLatitude] = tuple(IFDRational(part) for part in lat)
    gps[ExifTags.GPS.GPSLongitudeRef] = "W" if west else "E"
    gps[ExifTags.GPS.GPSLongitude] = tuple(IFDRational(part) for part in lon)
    if heading is not None:
        gps[ExifTags.GPS.GPSImgDirection] = IFDRational(heading)
    exif[ExifTags.Base.Model] = "Camera 3"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = picture or Image.effect_noise((80, 60), 60).convert("RGB")
    picture.save(path, exif=exif, quality=95, **({"xmp": xmp.encode()} if xmp else {}))


def places_in(folder, **options):
    return PhotoFolder(folder, options=FolderOptions(**options)).places()


def photos_in(folder, **options):
    return [photo for place in places_in(folder, **options) for photo in place.photos]


def found(folder):
    """Every place's answer, as the collection gets it."""
    provider = FolderOfPhotos(folder, RIGHTS)
    points = [SamplePoint(place.point_id, 0, place.group, place.lat, place.lon, 1.0, 1.0) for place in folder.places()]
    return provider, [asyncio.run(provider.find(point)) for point in points]


def picture_of(provider, panorama, view):
    return Image.open(io.BytesIO(asyncio.run(provider.fetch(panorama, view)).body))


def test_exif_gives_position_heading_and_camera_and_a_photo_without_is_a_place_too(tmp_path):
    photo_with_gps(tmp_path / "a.jpg", heading=270)
    (tmp_path / "b.jpg").write_bytes(jpeg(50))
    _, (first, second) = found(PhotoFolder(tmp_path))
    assert (first.lat, first.lon, first.camera, first.native) == (51.5, -0.1, "Camera 3", View(270.0, 0, 90, 80, 60))
    assert second.reason is ImageReason.NO_POSITION
    assert "b.jpg" in second.detail


def geojson(rows):
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
                    "properties": {"file": row["file"], "heading": row["heading"]},
                }
                for row in rows
            ],
        }
    )


@pytest.mark.parametrize("kind", ["csv", "parquet", "geojson"])
@pytest.mark.parametrize("beside", [True, False])
def test_a_table_of_any_kind_wins_over_exif(tmp_path, kind, beside):
    photo_with_gps(tmp_path / "photos" / "trip" / "a.jpg")
    rows = [{"file": "trip/a.jpg", "lat": 54.6, "lon": -5.9, "heading": -90}]
    path = tmp_path / "photos" / f"positions.{kind}" if beside else tmp_path / f"where.{kind}"
    if kind == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    elif kind == "parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        path.write_text(geojson(rows))
    (photo,) = photos_in(tmp_path / "photos", positions=None if beside else path)
    assert (photo.lat, photo.lon, photo.view.heading) == (54.6, -5.9, 270.0)


@pytest.mark.parametrize("line", ["a.jpg,,", "a.jpg,nan,5", "a.jpg,5"])
def test_a_position_that_the_table_calls_unknown_is_an_outcome(tmp_path, line):
    photo_with_gps(tmp_path / "a.jpg")
    (tmp_path / "positions.csv").write_text(f"file,lat,lon\n{line}\n")
    (place,) = places_in(tmp_path)
    assert place.miss.reason is ImageReason.NO_POSITION
    assert math.isnan(place.lat)


@pytest.mark.parametrize(
    ("name", "table", "complaint"),
    [
        ("positions.csv", "file,lat\na.jpg,5\n", "lacks the columns lon"),
        ("positions.csv", "file,lat,lon\na.jpg,north,5\n", "line 2: lat, lon and heading must be numbers"),
        ("positions.csv", "file,lat,lon,heading\na.jpg,51,0,inf\n", "line 2: heading inf is no direction"),
        ("positions.csv", "file,lat,lon\nZ\udcfcrich.jpg,47,8\n", "is not UTF-8"),
        ("positions.csv", "file,lat,lon\na.jpg,95,5\n", "no latitude and longitude"),
        ("positions.csv", "file,lat,lon\na.jpg,51,5\na.jpg,52,5\n", "line 3: a.jpg stands in it twice"),
        ("positions.parquet", "file,lat,lon\n", "cannot be read"),
        ("positions.geojson", "{}", "no FeatureCollection"),
        ("positions.geojson", '{"features": [{"properties": {}}]}', "feature 1: a point with the property file"),
    ],
)
def test_a_wrong_table_is_told_by_its_line(tmp_path, name, table, complaint):
    (tmp_path / "a.jpg").write_bytes(jpeg(50))
    (tmp_path / name).write_text(table, errors="surrogateescape")
    with pytest.raises(ProviderError, match=complaint):
        places_in(tmp_path)


def test_a_table_that_is_missing_or_one_of_two_is_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(50))
    with pytest.raises(ProviderError, match="no file"):
        places_in(tmp_path, positions=tmp_path / "nowhere.csv")
    for suffix in ("csv", "geojson"):
        (tmp_path / f"positions.{suffix}").write_text("file,lat,lon\n")
    with pytest.raises(ProviderError, match=r"positions\.csv and positions\.geojson"):
        places_in(tmp_path)


def test_renaming_a_photo_changes_no_id_and_a_copy_is_the_same_photograph(tmp_path):
    photo_with_gps(tmp_path / "a.jpg")
    (before,) = photos_in(tmp_path)
    (tmp_path / "a.jpg").rename(tmp_path / "z.jpg")
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "z.jpg").read_bytes())
    places = places_in(tmp_path)
    assert {photo.source_id for place in places for photo in place.photos} == {before.source_id}
    assert len({place.point_id for place in places}) == 2


def test_no_folder_no_photos_and_broken_files_which_are_outcomes(tmp_path):
    with pytest.raises(ProviderError, match="no folder"):
        places_in(tmp_path / "nowhere")
    with pytest.raises(ProviderError, match="no photographs"):
        places_in(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.jpg").write_bytes(jpeg(50)[:20])
    reasons = [place.miss.reason for place in places_in(tmp_path)]
    assert reasons == [ImageReason.WRONG_TYPE, ImageReason.EMPTY, ImageReason.TRUNCATED]


def test_a_changed_file_is_read_again(tmp_path):
    photo_with_gps(tmp_path / "a.jpg")
    assert photos_in(tmp_path)[0].lat == 51.5
    photo_with_gps(tmp_path / "a.jpg", lat=(54, 0, 0))
    assert photos_in(tmp_path)[0].lat == 54.0


@pytest.mark.parametrize(("pose", "exif"), [("77.0", None), ("0", 77), ("77", 200)])
def test_a_360_photograph_is_cut_into_views_by_its_own_direction(tmp_path, pose, exif):
    """The pose says where its middle looks; cameras that leave it at 0 write EXIF's direction."""
    ball = sphere_with_mark(120, 10, 77)
    xmp = SPHERE.format(pose=pose, width=720)
    photo_with_gps(tmp_path / "a.jpg", heading=exif, picture=ball, xmp=xmp)
    provider, (panorama,) = found(PhotoFolder(tmp_path))
    view = View(120.0, 10.0, 60.0, 100, 80)
    assert panorama.views((view,)) == (view,)
    assert middle_of_mark(picture_of(provider, panorama, view)) == pytest.approx((50, 40), abs=1.5)


def test_a_part_of_a_sphere_is_no_panorama_and_a_wide_photo_is_flat(tmp_path):
    photo_with_gps(tmp_path / "a.jpg", picture=sphere_with_mark(0, 0, 0), xmp=SPHERE.format(pose=0, width=700))
    photo_with_gps(tmp_path / "b.jpg", picture=sphere_with_mark(0, 0, 0))
    _, (part, wide) = found(PhotoFolder(tmp_path))
    assert part.reason is ImageReason.WRONG_TYPE
    assert (wide.native.width, wide.native.height) == (720, 360)


def test_a_360_photograph_that_is_cut_off_is_no_picture(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (360, 720, 3), dtype=np.uint8))
    photo_with_gps(tmp_path / "a.jpg", picture=noise, xmp=SPHERE.format(pose=0, width=720))
    body = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(body[: len(body) // 2])
    provider, (panorama,) = found(PhotoFolder(tmp_path))
    assert asyncio.run(provider.fetch(panorama, View(0.0))).body == b"\xff\xd8"


def test_twice_the_photos_take_about_twice_as_long(tmp_path):
    def seconds(folder, photos):
        for number in range(photos):
            photo_with_gps(folder / f"{number}.jpg", lon=(0, number % 60, 0))
        started = time.perf_counter()
        assert len(photos_in(folder)) == photos
        return time.perf_counter() - started

    assert seconds(tmp_path / "more", 400) < 12 * seconds(tmp_path / "few", 100)
