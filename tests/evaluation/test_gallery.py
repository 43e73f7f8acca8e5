from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from geolocate.dataset import open_dataset
from geolocate.dataset.splits import ground_parts
from geolocate.errors import CheckpointError, DatasetError
from geolocate.evaluation.gallery import build_gallery, check_gallery, load_gallery, save_gallery
from geolocate.geography.partition import ground_partition
from geolocate.geography.regions import load_region
from geolocate.manifest.tombstones import add_tombstones
from geolocate.models import features as cached
from geolocate.storage import DataRoot
from geolocate.training.checkpoints import load_run
from tests.evaluation.trained import RUNS

UK = load_region("uk")


@pytest.fixture(scope="module")
def run(root):
    return load_run(root, RUNS[0])


@pytest.fixture(scope="module")
def dataset(root):
    return open_dataset(root, "cities")


@pytest.fixture(scope="module")
def gallery(root, run, dataset):
    return build_gallery(root, run, dataset)


@pytest.fixture
def saved(gallery, tmp_path):
    save_gallery(tmp_path, gallery)
    return tmp_path


def test_it_holds_the_training_places_and_no_other(dataset, gallery, run):
    assert set(gallery.panoramas["panorama_id"]) == set(dataset.rows("train")["panorama_id"])
    assert np.linalg.norm(gallery.features, axis=1) == pytest.approx(np.ones(len(gallery)), abs=1e-5)
    named = run.classes["class_id"].to_numpy(str)[gallery.classes]
    assert (named == gallery.panoramas["class_id"].to_numpy(str)).all()


def test_a_gallery_comes_back_as_it_was(root, gallery, saved):
    again = load_gallery(root, saved, UK, gallery.encoder)
    assert (again.features == gallery.features).all()
    pd.testing.assert_frame_equal(again.panoramas, gallery.panoramas, check_dtype=False)


def test_nothing_is_encoded_when_it_is_loaded_or_asked(root, gallery, saved, monkeypatch):
    """Others encoded their gallery again at every prediction."""
    calls = []
    monkeypatch.setattr(cached, "_encode_missing", lambda *args: calls.append(args))
    again = load_gallery(root, saved, UK, gallery.encoder)
    again.queries([torch.zeros(3, again.features.shape[1])])
    assert calls == []


@pytest.mark.parametrize(
    ("part", "said"),
    [("test", "on test ground"), ("val", "on val ground"), ("calibration", "on calibration ground")],
)
def test_a_planted_leak_is_caught(root, dataset, gallery, tmp_path, part, said):
    rows = dataset.rows(part)
    leak = rows.iloc[0]["panorama_id"]
    planted = _with(gallery, rows.iloc[0])
    with pytest.raises(DatasetError, match=rf"the gallery leaks: panorama {leak} .*{said}") as no:
        check_gallery(planted, UK, dataset)
    assert "\n" not in str(no.value)
    save_gallery(tmp_path, planted)
    with pytest.raises(DatasetError, match="the gallery leaks"):
        load_gallery(root, tmp_path, UK, gallery.encoder)


def test_a_leak_that_says_that_it_stands_elsewhere_is_caught_by_its_name(dataset, gallery):
    row = dataset.rows("test").iloc[0].copy()
    row["lat"], row["lon"] = gallery.panoramas[["lat", "lon"]].iloc[0]
    with pytest.raises(DatasetError, match="on test ground"):
        check_gallery(_with(gallery, row), UK, dataset)


def test_a_panorama_beside_test_ground_is_caught(gallery):
    # 100 m steps over a city until one lies in the buffer around a test block.
    lat = 51.4 + np.arange(2000) * 0.0009
    parts = ground_parts(ground_partition(UK, lat, np.full(2000, -1.0)))
    at = int(np.flatnonzero(parts == "buffer")[0])
    row = gallery.panoramas.iloc[0].copy()
    row["panorama_id"], row["lat"], row["lon"] = "beside", lat[at], -1.0
    with pytest.raises(DatasetError, match=r"beside .* within the buffer around test ground"):
        check_gallery(_with(gallery, row), UK)


def test_a_gallery_of_another_encoder_or_partition_is_refused_in_a_line(root, gallery, saved, tmp_path):
    with pytest.raises(CheckpointError, match=r"encoder 'efficientnet.*', not 'resnet50-x'.*evaluate") as refusal:
        load_gallery(root, saved, UK, "resnet50-x")
    assert "\n" not in str(refusal.value)
    save_gallery(tmp_path, replace(gallery, partition_version="uk-9km-v0"))
    with pytest.raises(CheckpointError, match="ground partition 'uk-9km-v0', not 'uk-2km"):
        load_gallery(root, tmp_path, UK, gallery.encoder)


def test_a_damaged_gallery_is_refused_in_a_line(root, gallery, saved):
    (saved / "gallery.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="is damaged") as refusal:
        load_gallery(root, saved, UK, gallery.encoder)
    assert "\n" not in str(refusal.value)


def test_what_was_forgotten_is_not_looked_up_any_more(gallery, saved, tmp_path):
    other = DataRoot(tmp_path / "root")
    gone = str(gallery.panoramas["source_id"].iloc[3])
    add_tombstones(other, [], [gone])
    again = load_gallery(other, saved, UK, gallery.encoder)
    assert len(again) == len(again.features) == len(gallery) - 1
    assert gone not in set(again.panoramas["source_id"])
    assert (again.features[3] == gallery.features[4]).all()


def _with(gallery, row):
    added = row.reindex(gallery.panoramas.columns).to_frame().T.assign(class_index=0)
    panoramas = pd.concat([gallery.panoramas, added], ignore_index=True)
    panoramas = panoramas.astype({"lat": float, "lon": float, "class_index": int})
    return replace(gallery, panoramas=panoramas, features=np.vstack([gallery.features, gallery.features[:1]]))
