"""Exports are read back by the programs that they are for, and leave behind what may not be passed on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import torchvision
import webdataset
from hypothesis import given
from hypothesis import strategies as st

from geolocate.dataset import open_dataset, publish
from geolocate.dataset.export_folders import folder_name
from geolocate.dataset.exporting import FORMATS, export_dataset, exports_of
from geolocate.dataset.splits import PARTS
from geolocate.errors import DatasetError, RightsError, StorageError
from geolocate.manifest.tombstones import add_tombstones
from geolocate.storage import DataRoot, read_json, sha256_of, sha256_of_file
from tests.dataset.published import copy_of, request, write_cities


@pytest.fixture(scope="module")
def out(cities, tmp_path_factory):
    """A folder with the dataset in every format; one panorama was forgotten before."""
    folder = tmp_path_factory.mktemp("exports")
    root = copy_of(cities, folder / "data")
    rows = open_dataset(root, "cities").rows("train")
    add_tombstones(root, [], [rows["source_id"].iloc[0]])
    for name in FORMATS:
        export_dataset(root, "cities", name, folder / name)
    return folder


@pytest.fixture(scope="module")
def version(out):
    return open_dataset(DataRoot(out / "data"), "cities")


def test_what_was_forgotten_is_in_no_export(out, version):
    assert len(version.frame) == 222
    for name, layout in FORMATS.items():
        told = read_json(out / name / "export.json")
        assert told["images"] == len(version.rows(*PARTS) if layout.parts_only else version.frame)
        assert (told["dataset"], told["world"]) == (str(version.ref), "emulated")
    assert {one["format"] for one in exports_of(DataRoot(out / "data"), "cities")} == set(FORMATS)


def test_a_flat_csv_with_its_pictures(out, version):
    rows = pd.read_csv(out / "csv" / "images.csv", dtype={"class_id": str})
    assert set(version.frame.columns) < set(rows.columns)
    assert list(rows["image_id"]) == list(version.frame["image_id"])
    assert all(sha256_of_file(out / "csv" / row.file) == row.sha256 for row in rows.itertuples())


def test_torchvision_opens_the_image_folder(out, version):
    classes = pd.read_csv(out / "imagefolder" / "classes.csv", dtype={"class_id": str}).set_index("folder")
    rows = version.frame.set_index("image_id")
    for part in PARTS:
        if version.rows(part).empty:
            continue
        pictures = torchvision.datasets.ImageFolder(out / "imagefolder" / part)
        assert len(pictures) == len(version.rows(part)) == classes[part].sum()
        for path, number in pictures.samples:
            row = rows.loc[Path(path).stem]
            assert classes.loc[pictures.classes[number], "class_id"] == row["class_id"]
            assert row["part"] == part
        assert pictures[0][0].size == (96, 96)


def test_webdataset_reads_the_shards(out, version):
    shards = sorted(str(path) for path in (out / "webdataset").glob("train/*.tar"))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))
    assert [sample["__key__"] for sample in samples] == list(version.rows("train")["image_id"])
    row = json.loads(samples[0]["json"])
    assert sha256_of(samples[0]["jpg"]) == row["sha256"]
    assert version.classes["class_id"][row["label"]] == row["class_id"]
    assert row["sequence_id"] is None


def test_the_same_rows_are_the_same_bytes(out, tmp_path):
    export_dataset(DataRoot(out / "data"), "cities", "webdataset", tmp_path / "again")
    for tar in (tmp_path / "again").rglob("*.tar"):
        assert tar.read_bytes() == (out / "webdataset" / tar.relative_to(tmp_path / "again")).read_bytes()


def test_load_dataset_reads_the_folder_offline(out, version, tmp_path):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    loaded = datasets.load_dataset(str(out / "huggingface"), cache_dir=str(tmp_path))
    assert set(loaded) == {"train", "validation", "calibration", "test"}
    for split, part in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert loaded[split]["image_id"][:] == list(version.rows(part)["image_id"])
    first = loaded["train"][0]
    assert first["image"].size == (96, 96)
    label = loaded["train"].features["label"]
    assert label.int2str(first["label"]) == first["class_name"]
    assert label.names == list(version.classes["class_name"])
    assert isinstance(first["lat"], float)
    readme = (out / "huggingface" / "README.md").read_text()
    assert str(version.ref) in readme
    assert "Emulated world" in readme


def test_gdal_opens_the_geopackage_as_points_in_degrees(out, version):
    told = pyogrio.read_info(out / "geopackage" / "images.gpkg")
    assert (told["geometry_type"], told["crs"], told["features"]) == ("Point", "EPSG:4326", len(version.frame))
    points = gpd.read_file(out / "geopackage" / "images.gpkg")
    assert (points.geometry.y - points["lat"]).abs().max() < 1e-9


def test_hard_links_and_no_pictures_at_all(own_cities, tmp_path):
    export_dataset(own_cities, "cities", "imagefolder", tmp_path / "linked", "link")
    some = next((tmp_path / "linked").rglob("*.jpg"))
    assert some.stat().st_nlink == 2
    export_dataset(own_cities, "cities", "csv", tmp_path / "bare", "none")
    rows = pd.read_csv(tmp_path / "bare" / "images.csv")
    assert (own_cities.path / rows["file"][0]).exists()
    assert not (tmp_path / "bare" / "images").exists()
    with pytest.raises(DatasetError, match="format 'webdataset' cannot have pictures 'link': choose one of inside"):
        export_dataset(own_cities, "cities", "webdataset", tmp_path / "x", "link")


def test_a_folder_that_is_there_is_not_touched(own_cities, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(StorageError, match="mine is there and not empty"):
        export_dataset(own_cities, "cities", "csv", tmp_path / "mine")
    with pytest.raises(DatasetError, match="unknown format 'zip': choose one of csv, imagefolder"):
        export_dataset(own_cities, "cities", "zip", tmp_path / "new")


def test_a_lost_picture_is_one_line_and_leaves_nothing(own_cities, tmp_path):
    lost = own_cities.image(open_dataset(own_cities, "cities").rows("train")["sha256"].iloc[5])
    lost.unlink()
    for name in ("csv", "webdataset", "huggingface"):
        with pytest.raises(StorageError, match=f"no picture {lost}: .*collect"):
            export_dataset(own_cities, "cities", name, tmp_path / "to" / name)
    assert list((tmp_path / "to").iterdir()) == []


def test_what_may_not_be_passed_on_stays(tmp_path):
    root = DataRoot(tmp_path / "data")
    write_cities(root, rights_basis="agreement:G-17")
    publish(root, request())
    with pytest.raises(RightsError, match="rows may not be passed on: rights_basis 'agreement:G-17'"):
        export_dataset(root, "cities", "csv", tmp_path / "out", "none")
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_nothing_behind(own_cities, tmp_path):
    slow = """
import sys, time
from pathlib import Path
from geolocate.dataset.exporting import export_dataset
from geolocate.storage import DataRoot

def tell(done, total):
    print(done, flush=True)
    time.sleep(0.2)

export_dataset(DataRoot(Path(sys.argv[1])), "cities", "csv", Path(sys.argv[2]), tell=tell)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", slow, own_cities.path, tmp_path / "o" / "csv"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as exporting:
        assert exporting.stdout.readline() == b"1\n"
        time.sleep(0.1)
        exporting.send_signal(signal.SIGINT)
        exporting.communicate(timeout=30)
    assert exporting.returncode != 0
    assert list((tmp_path / "o").iterdir()) == []


ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(st.text(max_size=60), ids, st.text(max_size=60), ids)
def test_a_folder_is_named_safely_and_after_one_class_only(name, class_id, other_name, other_id):
    folder = folder_name(name, class_id)
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert (folder_name(other_name, other_id) == folder) <= (class_id.lower() == other_id.lower())
