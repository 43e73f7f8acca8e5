"""Own photographs go the same way as everybody else's."""

import pytest

from geolocate.collection import validate_collection
from geolocate.collection.importing import PhotoFolder, import_photos, owner_rights
from geolocate.errors import ProviderError, RightsError
from geolocate.manifest import read_manifest
from tests.collection.stand_in import jpeg
from tests.providers.test_folder import photo_with_gps


@pytest.fixture
def photos(tmp_path):
    photo_with_gps(tmp_path / "photos" / "a.jpg", heading=270)
    photo_with_gps(tmp_path / "photos" / "b.jpg", lat=(53, 30, 0), lon=(2, 15, 0))
    photo_with_gps(tmp_path / "photos" / "paris.jpg", lat=(48, 51, 0), lon=(2, 21, 0), west=False)
    (tmp_path / "photos" / "unknown.jpg").write_bytes(jpeg(50))
    return PhotoFolder(tmp_path / "photos", "uk", owner_rights("CC-BY-4.0", "Ann Example", "own"))


def test_photographs_become_a_collection_with_their_rights(root, photos):
    summary, without_position = import_photos(root, "mine", photos)
    assert (summary.statuses, without_position) == ({"complete": 2, "outside": 1}, 1)
    assert (summary.world, summary.price_usd) == ("real", 0.0)
    rows = read_manifest(root.collection("mine") / "manifest")
    assert set(rows["attribution"]) == {"Ann Example"}
    assert set(rows["rights_basis"]) == {"own"}
    assert set(rows["width"]) == {80}
    assert sorted(rows["heading"]) == [0.0, 270.0]
    assert validate_collection(root, "mine").ok


def test_a_second_import_reads_nothing_again(root, photos):
    import_photos(root, "mine", photos)
    again, _ = import_photos(root, "mine", photos)
    assert (again.run_metadata_requests, again.run_image_requests) == (0, 0)


def test_rights_must_be_said():
    with pytest.raises(RightsError, match="choose own"):
        owner_rights("CC-BY-4.0", "Ann", "found it somewhere")
    with pytest.raises(RightsError, match="attribution"):
        owner_rights("CC-BY-4.0", " ", "own")


def test_a_folder_without_any_position_says_what_to_do(root, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(jpeg(50))
    with pytest.raises(ProviderError, match=r"positions\.csv"):
        import_photos(root, "m", PhotoFolder(tmp_path / "photos", "uk", owner_rights("CC0-1.0", "Ann", "own")))
