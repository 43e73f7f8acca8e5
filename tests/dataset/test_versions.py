"""Published versions are immutable, recognised, split by ground, and of one world."""

import pandas as pd
import pytest

from geolocate.dataset import PublishRequest, dataset_versions, open_dataset, publish
from geolocate.dataset.splits import LEFT_OUT, PARTS
from geolocate.errors import DatasetError, ManifestError, RightsError
from geolocate.geography.distances import nearest_km
from geolocate.geography.regions import load_region
from geolocate.manifest import write_manifest
from geolocate.manifest.tombstones import add_tombstones
from geolocate.storage import DataRoot
from tests.manifest.rows import manifest_rows

CITIES = {
    "London": (51.507, -0.128),
    "Leeds": (53.797, -1.548),
    "Bristol": (51.455, -2.588),
    "Glasgow": (55.865, -4.258),
}


@pytest.fixture
def root(tmp_path):
    data = DataRoot(tmp_path)
    write_manifest(city_rows(), data.collection("cities") / "manifest" / "0000.parquet")
    return data


def city_rows():
    places = [manifest_rows(60, lat=lat, lon=lon, spread=0.03, seed=i) for i, (lat, lon) in enumerate(CITIES.values())]
    return pd.concat(places, ignore_index=True)


def request(**changes):
    return PublishRequest(**{"name": "cities", "collections": ("cities",), "top": 20, **changes})


def test_every_row_has_a_class_a_caption_and_a_part(root):
    version = open_dataset(root, str(publish(root, request())))
    assert set(version.classes["class_name"]) >= set(CITIES)
    assert version.frame["caption"].str.startswith("City: ").all()
    assert len(version.frame) == version.card["images"] == 3 * version.card["panoramas"]
    assert set(version.frame["part"]) <= {*PARTS, *LEFT_OUT}


def test_the_same_content_is_the_same_version_and_writes_nothing(root):
    first = publish(root, request())
    version = root.dataset("cities", first.version)
    files = {path: path.stat().st_mtime_ns for path in version.rglob("*")}
    assert publish(root, request()) == first
    assert files == {path: path.stat().st_mtime_ns for path in version.rglob("*")}


@pytest.mark.parametrize(
    "changed",
    [{"license": "CC-BY-4.0"}, {"sample_weight": 7.5}, {"captured": "2011-11"}, {"retain_until": "2999-01-01"}],
)
def test_other_rights_weights_or_dates_are_another_version(root, changed):
    first = publish(root, request())
    write_manifest(city_rows().assign(**changed), root.collection("cities") / "manifest" / "0000.parquet")
    second = publish(root, request())
    assert second.version != first.version
    [(column, value)] = changed.items()
    assert (open_dataset(root, "cities").frame[column] == value).all()


def test_when_it_was_fetched_makes_no_other_version(root):
    first = publish(root, request())
    later = city_rows().assign(fetched_at="2026-06-01T00:00:00Z")
    write_manifest(later, root.collection("cities") / "manifest" / "0000.parquet")
    assert publish(root, request()) == first


def test_other_labels_are_another_version_and_the_old_one_still_opens(root):
    first = publish(root, request())
    second = publish(root, request(top=3))
    assert dataset_versions(root, "cities") == [first.version, second.version]
    assert open_dataset(root, "cities").ref == second
    assert open_dataset(root, str(first)).ref == first


def test_going_back_to_an_earlier_content_makes_that_version_the_newest_again(root):
    first = publish(root, request())
    publish(root, request(top=3))
    assert publish(root, request()) == first
    assert open_dataset(root, "cities").ref == first


def test_the_views_of_a_panorama_share_their_part_and_training_keeps_away_from_test_ground(root):
    version = open_dataset(root, str(publish(root, request())))
    assert (version.frame.groupby("source_id")["part"].nunique() == 1).all()
    train, test = version.rows("train"), version.rows("test")
    assert set(train["block_id"]).isdisjoint(test["block_id"])
    assert nearest_km(train["lat"], train["lon"], test["lat"], test["lon"]).min() > 0.5


def test_an_unknown_part_is_refused(root):
    version = open_dataset(root, str(publish(root, request())))
    with pytest.raises(DatasetError, match="unknown part tests: choose among train, val"):
        version.rows("tests")


def test_what_is_forgotten_leaves_a_version_that_was_published_before(root):
    ref = publish(root, request())
    gone = open_dataset(root, str(ref)).frame["image_id"].iloc[:2]
    add_tombstones(root, gone)
    assert set(gone).isdisjoint(open_dataset(root, str(ref)).frame["image_id"])


def test_an_altered_file_is_noticed(root):
    ref = publish(root, request())
    labels = root.dataset("cities", ref.version) / "labels.parquet"
    pd.read_parquet(labels).assign(part="train").to_parquet(labels)
    with pytest.raises(DatasetError, match="altered after publishing"):
        open_dataset(root, str(ref))


def test_two_worlds_do_not_meet(root):
    write_manifest(manifest_rows(9, seed=9).assign(world="real"), root.collection("real") / "manifest" / "0.parquet")
    with pytest.raises(DatasetError, match="2 worlds"):
        publish(root, request(collections=("cities", "real")))


def test_rows_without_rights_are_refused(root):
    write_manifest(city_rows().assign(rights_basis="none"), root.collection("none") / "manifest" / "0.parquet")
    with pytest.raises(RightsError, match="rights_basis 'none'"):
        publish(root, request(collections=("none",)))


def test_missing_datasets_versions_and_collections_are_named(root):
    publish(root, request())
    with pytest.raises(DatasetError, match=r"no dataset 'towns'.*cities"):
        open_dataset(root, "towns")
    with pytest.raises(DatasetError, match="no version 'v9': choose one of"):
        open_dataset(root, "cities@v9")
    with pytest.raises(ManifestError, match="no manifest in"):
        publish(root, request(collections=("absent",)))


def test_one_class_is_not_enough(root):
    write_manifest(manifest_rows(60, spread=0.01), root.collection("one") / "manifest" / "0.parquet")
    with pytest.raises(DatasetError, match="only 1 classes have a training place"):
        publish(root, request(collections=("one",)))


def test_a_region_of_ones_own_is_found_again_from_any_folder(root, tmp_path, monkeypatch):
    shipped = load_region("uk")
    text = (shipped.data.parent.parent / "uk.toml").read_text().replace('"data/uk"', f'"{shipped.data}"')
    (tmp_path / "albion.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    ref = publish(root, request(region="albion.toml"))
    monkeypatch.chdir("/")
    assert load_region(open_dataset(root, str(ref)).region).name == "albion"
