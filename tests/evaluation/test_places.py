"""A place of several flat photographs is one sample in training and one unit in evaluation and in comparison."""

import shutil

import pandas as pd
import pytest

from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.evaluation import compare, evaluate
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.val_distance import val_distance
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot
from geolocate.training.config import TrainConfig
from geolocate.training.loop import train
from geolocate.training.samples import samples_of, trained_classes
from tests.dataset.flat_places import as_flat_places
from tests.evaluation.trained import CITIES, city_rows


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A short run, and its twin, on a dataset in which every second panorama is a place of three photographs."""
    root = DataRoot(tmp_path_factory.mktemp("flat"))
    rows = [city_rows(root, seed, *position) for seed, position in enumerate(list(CITIES.values())[:3])]
    manifest = as_flat_places(pd.concat(rows, ignore_index=True))
    manifest["attribution"] = "© " + manifest["source_id"]
    write_manifest(manifest, root.collection("flat") / "manifest" / "0000.parquet")
    dataset = open_dataset(root, str(publish(root, PublishRequest(name="flat", collections=("flat",), top=20))))
    config = TrainConfig(pixels=32, epochs=1, batch_size=64)
    train(root, dataset, config, "flat-s0", validate=val_distance(dataset))
    evaluate(root, "flat-s0", bootstrap=Bootstrap(resamples=50))
    shutil.copytree(root.run("flat-s0"), root.run("flat-s1"))
    return root


def test_the_photographs_of_a_place_are_the_views_of_one_sample(evaluated):
    dataset = open_dataset(evaluated, "flat")
    samples = samples_of(dataset, "train", trained_classes(dataset))
    views = samples.panoramas()
    assert len(views) == samples.rows["panorama_id"].nunique() < samples.rows["source_id"].nunique()
    assert all(samples.rows["panorama_id"].iloc[of].nunique() == 1 for of in views)
    assert sorted(number for of in views for number in of) == list(range(len(samples)))


def test_a_place_is_predicted_once_from_all_its_photographs(evaluated):
    predictions = pd.read_parquet(evaluated.run("flat-s0") / "predictions.parquet")
    test = open_dataset(evaluated, "flat").rows("test")
    assert list(predictions["panorama_id"]) == sorted(test["panorama_id"].unique())
    first = test.set_index("source_id").loc[predictions["source_id"]]
    assert (predictions["source_id"] == predictions["panorama_id"]).all()
    assert list(first.groupby(level=0, sort=False)["lat"].first()) == list(predictions["lat"])
    shown = {row.panorama_id: set(row.sha256s) for row in predictions.itertuples()}
    assert shown == {name: set(rows["sha256"]) for name, rows in test.groupby("panorama_id")}
    several = test.groupby("panorama_id")["source_id"].nunique().loc[predictions["panorama_id"]].to_numpy()
    assert (predictions["attribution"].str.count("©").to_numpy() == several).all()


def test_runs_are_compared_place_by_place(evaluated):
    result = compare(evaluated, ["flat-s0", "flat-s1"])
    assert result["paired"]["mean_km"]["flat-s1"]["value"] == 0
    assert result["counts"]["test_panoramas"] == open_dataset(evaluated, "flat").rows("test")["panorama_id"].nunique()
