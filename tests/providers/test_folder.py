"""One's own photographs as panoramas."""

import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from geolocate.errors import PictureError, ProviderError
from geolocate.providers.folder import photos_in_folder
from tests.collection.stand_in import jpeg


def photo_with_gps(path, lat=(51, 30, 0), lon=(0, 6, 0), west=True, heading=None):
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
    Image.effect_noise((80, 60), 60).convert("RGB").save(path, exif=exif)


def test_exif_gives_position_heading_and_camera(tmp_path):
    photo_with_gps(tmp_path / "a.jpg", heading=270)
    (tmp_path / "b.jpg").write_bytes(jpeg(50))
    photos, without = photos_in_folder(tmp_path)
    assert [(photo.lat, photo.lon, photo.heading, photo.camera) for photo in photos] == [
        (51.5, -0.1, 270.0, "Camera 3")
    ]
    assert (photos[0].width, photos[0].height) == (80, 60)
    assert [path.name for path in without] == ["b.jpg"]


def test_a_table_beside_them_wins(tmp_path):
    photo_with_gps(tmp_path / "trip" / "a.jpg")
    (tmp_path / "positions.csv").write_text("file,lat,lon,heading\ntrip/a.jpg,54.6,-5.9,-90\n")
    photos, _ = photos_in_folder(tmp_path)
    assert [(photo.lat, photo.lon, photo.heading) for photo in photos] == [(54.6, -5.9, 270.0)]


def test_renaming_a_photo_changes_no_id_and_a_copy_is_none(tmp_path):
    photo_with_gps(tmp_path / "a.jpg")
    before = photos_in_folder(tmp_path)[0][0].source_id
    (tmp_path / "a.jpg").rename(tmp_path / "z.jpg")
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "z.jpg").read_bytes())
    assert [photo.source_id for photo in photos_in_folder(tmp_path)[0]] == [before]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("file,lat\na.jpg,5\n", "lacks the columns lon"),
        ("file,lat,lon\na.jpg,north,5\n", "line 2: lat, lon and heading must be numbers"),
        ("file,lat,lon\na.jpg,5\n", "line 2: lat, lon and heading must be numbers"),
        ("file,lat,lon,heading\na.jpg,51,0,inf\n", "line 2: heading inf is no direction"),
        ("file,lat,lon\nZ\udcfcrich.jpg,47,8\n", "is not UTF-8"),
        ("file,lat,lon\na.jpg,95,5\n", "no latitude and longitude"),
        ("file,lat,lon\na.jpg,nan,5\n", "no latitude and longitude"),
    ],
)
def test_a_wrong_table_is_told_by_its_line(tmp_path, table, complaint):
    (tmp_path / "a.jpg").write_bytes(jpeg(50))
    (tmp_path / "positions.csv").write_text(table, errors="surrogateescape")
    with pytest.raises(ProviderError, match=complaint):
        photos_in_folder(tmp_path)


def test_no_folder_no_photos_and_a_broken_photo(tmp_path):
    with pytest.raises(ProviderError, match="no folder"):
        photos_in_folder(tmp_path / "nowhere")
    with pytest.raises(ProviderError, match="no photographs"):
        photos_in_folder(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"a\.jpg"):
        photos_in_folder(tmp_path)


def test_a_photo_is_read_again_only_when_its_file_changed(tmp_path):
    photo_with_gps(tmp_path / "a.jpg")
    first = photos_in_folder(tmp_path)[0][0]
    assert photos_in_folder(tmp_path)[0][0] is first
    photo_with_gps(tmp_path / "a.jpg", lat=(54, 0, 0))
    assert photos_in_folder(tmp_path)[0][0].lat == 54.0
