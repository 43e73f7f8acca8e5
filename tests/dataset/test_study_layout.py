"""The study's two layouts: written from a dataset version, and read back as points."""

import pandas as pd
import pytest

from geolocate.collection.points import plan_of_points, read_points
from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.dataset.exporting import export_dataset
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot
from tests.manifest.rows import manifest_rows

CITIES = ((51.507, -0.128), (53.797, -1.548), (55.865, -4.258))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    data = DataRoot(tmp_path_factory.mktemp("data"))
    rows = [manifest_rows(25, lat=lat, lon=lon, spread=0.03, seed=i) for i, (lat, lon) in enumerate(CITIES)]
    write_manifest(pd.concat(rows, ignore_index=True), data.collection("cities") / "manifest" / "0000.parquet")
    publish(data, PublishRequest(name="towns", collections=("cities",), level="town"))
    publish(data, PublishRequest(name="cities", collections=("cities",), top=20))
    return data


def panoramas(root, name):
    return open_dataset(root, name).frame.drop_duplicates("source_id")


def test_ukclip_is_a_csv_a_cell_with_town_and_coordinates(root, tmp_path):
    export_dataset(root, "cities", "ukclip", tmp_path / "UKClip")
    rows = panoramas(root, "cities")
    files = sorted((tmp_path / "UKClip").glob("*.csv"))
    assert [file.stem for file in files] == sorted(rows["cell"].unique())
    assert files[0].read_text().splitlines()[0] == "town,lat,lng"
    read = read_points(tmp_path / "UKClip")
    columns = ["cell", "town", "lat", "lon"]
    expected = rows[columns].sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(read[columns].sort_values(columns, ignore_index=True), expected, check_dtype=False)


def test_ukcitiesclip_is_one_csv_of_cities(root, tmp_path):
    export_dataset(root, "cities", "ukcitiesclip", tmp_path / "out")
    read = read_points(tmp_path / "out" / "cities.csv")
    assert read["town"].value_counts().to_dict() == panoramas(root, "cities")["class_name"].value_counts().to_dict()
    assert "London" in set(read["town"])


def test_what_was_written_can_be_collected_again(root, tmp_path):
    export_dataset(root, "cities", "ukclip", tmp_path / "UKClip")
    plan = plan_of_points(read_points(tmp_path / "UKClip"))
    assert len(plan) == len(panoramas(root, "cities"))
    assert set(plan["group_name"]) == set(panoramas(root, "cities")["town"])


def test_a_dataset_of_towns_has_a_class_a_locality(root):
    version = open_dataset(root, "towns")
    named = version.frame.groupby("class_id")["town"].nunique()
    assert (named == 1).all()
    assert len(version.classes) == version.frame["town"].nunique() > 20
    assert version.classes["caption"].str.fullmatch("City: .+, .+").mean() > 0.8  # locality, larger town
