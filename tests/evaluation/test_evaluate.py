import json
import shutil

import numpy as np
import pandas as pd
import pytest

from geolocate.dataset import open_dataset
from geolocate.errors import CheckpointError
from geolocate.evaluation import evaluate
from geolocate.geography.distances import haversine_km
from geolocate.storage import read_json, write_json
from tests.evaluation.trained import RUNS


@pytest.fixture(scope="module")
def predictions(root, evaluated):
    return pd.read_parquet(root.run(RUNS[0]) / "predictions.parquet")


@pytest.fixture
def copied(root, evaluated):
    """A copy of the first run that a test may spoil."""
    shutil.copytree(root.run(RUNS[0]), root.run("spoilt"))
    yield "spoilt"
    shutil.rmtree(root.run("spoilt"))


def test_metrics_json_says_what_was_measured_on_what(root, evaluated):
    written = read_json(root.run(RUNS[0]) / "metrics.json")
    assert written == json.loads(json.dumps(evaluated[0]))
    dataset = open_dataset(root, "cities")
    assert written["dataset"]["sha256"] == dataset.ref.sha256
    assert written["world"] == "emulated"
    assert (written["seed"], evaluated[1]["seed"]) == (0, 1)
    assert written["counts"]["test_panoramas"] == dataset.rows("test")["source_id"].nunique()
    assert written["counts"]["test_images"] == len(dataset.rows("test"))
    assert written["intervals"]["resamples"] >= 2000


def test_the_unit_is_the_panorama_and_its_truth_its_own_position(root, predictions):
    panoramas = open_dataset(root, "cities").rows("test").drop_duplicates("source_id").set_index("source_id")
    assert set(predictions["source_id"]) == set(panoramas.index)
    at = panoramas.loc[predictions["source_id"]]
    km = haversine_km(at["lat"], at["lon"], predictions["predicted_lat"], predictions["predicted_lon"])
    assert predictions["km"].to_numpy() == pytest.approx(km)
    assert predictions["sha256s"].map(len).eq(3).all()


def test_predictions_add_up_to_the_metrics(evaluated, predictions):
    metrics = evaluated[0]["metrics"]
    assert predictions["km"].mean() == pytest.approx(metrics["mean_km"]["model"]["value"])
    assert predictions["argmax_km"].mean() == pytest.approx(metrics["mean_km"]["model_argmax"]["value"])
    assert predictions["correct"].mean() == pytest.approx(metrics["accuracy"]["model"]["value"])
    assert predictions["in_top5"].mean() == pytest.approx(metrics["accuracy_top5"]["model"]["value"])
    named = predictions["top5_class_ids"].map(lambda ids: ids[0])
    assert (named == predictions["predicted_class_id"]).all()
    assert predictions["top5_probabilities"].map(sum).between(0, 1 + 1e-6).all()  # single precision


def test_the_probability_sample_is_weighted_and_never_trained_on(root, evaluated):
    sample, dataset = evaluated[0]["sample"], open_dataset(root, "cities")
    rows = dataset.sample_rows().drop_duplicates("source_id")
    asked = pd.read_parquet(root.run(RUNS[0]) / "sample_predictions.parquet")
    assert set(asked["source_id"]) == set(rows["source_id"])
    assert set(asked["source_id"]).isdisjoint(dataset.rows("train", "val", "calibration")["source_id"])
    assert sample["counts"]["panoramas"] == len(asked) > 5
    assert sample["counts"]["also_blocked_test"] == rows["part"].eq("test").sum()
    assert asked["sample_weight"].nunique() > 1
    for metric, column in (("mean_km", "km"), ("accuracy", "correct")):
        mean = np.average(asked[column], weights=asked["sample_weight"])
        assert sample["metrics"][metric]["model"]["value"] == pytest.approx(mean)
    assert set(sample["metrics"]["mean_km"]) == set(evaluated[0]["metrics"]["mean_km"])
    assert sample["paired"]["mean_km"]["best_constant"]["low"] is not None


def test_no_test_panorama_stands_within_the_buffer_of_training_ground(predictions):
    assert predictions["nearest_train_km"].min() > 0.5


def test_a_model_that_can_learn_beats_chance(evaluated):
    for metrics in evaluated:
        assert metrics["paired"]["mean_km"]["best_constant"]["high"] < 0
        assert metrics["paired"]["accuracy"]["prior"]["low"] > 0


def test_chance_comes_from_training_places_only(root, evaluated):
    train = open_dataset(root, "cities").rows("train").drop_duplicates("source_id")
    assert evaluated[0]["chance"]["prior_class"] == train["class_name"].mode().iloc[0]
    best = evaluated[0]["chance"]["best_constant"]
    mine = haversine_km(best["lat"], best["lon"], train["lat"], train["lon"]).mean()
    lat, lon = train["lat"].to_numpy(), train["lon"].to_numpy()
    assert mine <= haversine_km(lat[:, None], lon[:, None], lat, lon).mean(axis=1).min() + 1e-6


def test_evaluating_again_gives_the_same_numbers(root, evaluated):
    again, first = evaluate(root, RUNS[0]), dict(evaluated[0])
    before, after = first.pop("test_reads"), again.pop("test_reads")
    # Other runs have read the test ground meanwhile; this one has not read it again.
    assert (before["run"], after["run"]) == (1, 1)
    assert after["dataset_version"] > before["dataset_version"]
    assert again == first


def test_a_run_that_answers_otherwise_reads_the_test_ground_again_and_it_is_counted(root, copied):
    path = root.run(copied) / "metrics.json"
    write_json(path, {**read_json(path), "checkpoint_sha256": "0" * 64})
    assert evaluate(root, copied)["test_reads"]["run"] == 1
    assert evaluate(root, copied)["test_reads"]["run"] == 1


def test_another_ground_partition_is_refused(root, copied):
    path = root.run(copied) / "checkpoint.json"
    card = read_json(path)
    write_json(path, {**card, "partition_version": "uk-of-old"})
    with pytest.raises(CheckpointError, match="under ground partition 'uk-of-old', not"):
        evaluate(root, copied)


def test_another_dataset_under_the_same_name_is_refused(root, copied):
    path = root.run(copied) / "checkpoint.json"
    card = read_json(path)
    write_json(path, {**card, "dataset": {**card["dataset"], "sha256": "0" * 64}})
    with pytest.raises(CheckpointError, match="with the hash 000000000000"):
        evaluate(root, copied)


def test_an_unknown_run_is_refused_with_the_ones_there_are(root):
    with pytest.raises(CheckpointError, match=r"no run 'nobody'.*cities-s0"):
        evaluate(root, "nobody")


def test_posteriors_of_panoramas_sum_to_one(root):
    from geolocate.training.checkpoints import load_run

    run = load_run(root, RUNS[0])
    width = run.clip.image_head.projection.in_features
    import torch

    views = [torch.randn(count, width) for count in (1, 3, 2)]
    posterior = run.posterior(views)
    assert posterior.shape == (3, len(run.classes))
    assert posterior.sum(axis=1) == pytest.approx(np.ones(3))
