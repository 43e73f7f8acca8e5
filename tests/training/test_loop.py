import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from geolocate.errors import CheckpointError, DatasetError, EncoderError, SettingsError
from geolocate.evaluation.val_distance import val_distance
from geolocate.geography.distances import haversine_km
from geolocate.models.features import image_features
from geolocate.storage import DataRoot
from geolocate.training import TrainConfig, load_run, run_state, train
from tests.training.small_dataset import small_dataset

CONFIG = TrainConfig(pixels=32, epochs=6, batch_size=32, projection=32, select_by="val_loss")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return DataRoot(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def dataset(root):
    return small_dataset(root)


@pytest.fixture(scope="module")
def trained(root, dataset):
    return train(root, dataset, CONFIG, "whole")


def _weights(root: DataRoot, run: str) -> str:
    return hashlib.sha256((root.run(run) / "checkpoint.safetensors").read_bytes()).hexdigest()


def _curves(root: DataRoot, run: str) -> pd.DataFrame:
    return pd.read_csv(root.run(run) / "curves.csv").drop(columns="seconds")


def test_a_trained_run_tells_the_cities_of_unseen_panoramas(root, dataset, trained):
    rows = dataset.rows("test")
    features = image_features(root, trained.image_encoder(), list(rows["sha256"])).unflatten(0, (-1, 3))
    posterior = trained.posterior(features)
    truth = trained.classes["class_id"].tolist()
    right = [truth[column] for column in posterior.argmax(axis=1)] == rows["class_id"].to_numpy()[::3]
    assert posterior.shape == (10, 5)
    assert np.mean(right) > 0.6  # chance is 0.2


def test_a_run_knows_what_it_was_made_from(root, dataset, trained):
    assert (trained.run, trained.dataset, trained.config) == ("whole", dataset.ref, CONFIG)
    assert (trained.world, trained.region, trained.level) == (dataset.world, "uk", "city")
    assert trained.partition_version == dataset.partition_version
    assert list(trained.classes.columns) == ["class_id", "class_name", "caption", "lat", "lon"]
    assert list(trained.classes["class_id"]) == sorted(trained.classes["class_id"])
    reopened = load_run(root, "whole")
    assert torch.equal(reopened.text_features, trained.text_features)
    assert {path.suffix for path in trained.path.iterdir()} == {".json", ".csv", ".safetensors"}
    assert len(trained.curves) == trained.epochs


def test_a_class_lies_where_its_training_panoramas_are(dataset, trained):
    rows = dataset.rows("train")
    for city in trained.classes.itertuples():
        own = rows[rows["class_id"] == city.class_id]
        assert haversine_km(city.lat, city.lon, own["lat"].mean(), own["lon"].mean()) < 5


def test_a_finished_run_is_not_trained_again(root, dataset, trained, caplog):
    before, told = _weights(root, "whole"), []
    with caplog.at_level("INFO", "geolocate"):
        again = train(root, dataset, CONFIG, "whole", lambda *news: told.append(news))
    assert not told
    assert "nothing to train" in caplog.text
    assert _weights(root, "whole") == before
    assert again.epochs == trained.epochs


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(root, dataset, trained):
    before = torch.random.get_rng_state()
    train(root, dataset, CONFIG, "twin")
    train(root, dataset, CONFIG.model_copy(update={"seed": 1}), "sibling")
    assert _weights(root, "twin") == _weights(root, "whole") != _weights(root, "sibling")
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_runs_name_belongs_to_its_dataset_partition_and_configuration(root, dataset, trained):
    other = replace(dataset, ref=replace(dataset.ref, version="other", sha256="0" * 64))
    with pytest.raises(CheckpointError, match="run 'whole' was started with dataset small@v0, not small@other"):
        train(root, other, CONFIG, "whole")
    repartitioned = replace(dataset, card={**dataset.card, "partition_version": "uk-2"})
    with pytest.raises(CheckpointError, match="partition version uk-1, not uk-2"):
        train(root, repartitioned, CONFIG, "whole")
    with pytest.raises(CheckpointError, match=r"epochs=6, not 7: choose another run name, or delete"):
        train(root, dataset, CONFIG.model_copy(update={"epochs": 7}), "whole")


@pytest.mark.parametrize("part", ["train", "val"])
def test_an_empty_part_is_refused(root, dataset, part):
    without = replace(dataset, frame=dataset.frame[dataset.frame["part"] != part])
    with pytest.raises(DatasetError, match=f"has no {part} rows"):
        train(root, without, CONFIG, f"without-{part}")
    assert run_state(root, f"without-{part}") == "new"


def test_one_class_alone_is_refused(root, dataset):
    one = replace(
        dataset, frame=dataset.frame[(dataset.frame["part"] != "train") | (dataset.frame["class_id"] == "gn1")]
    )
    with pytest.raises(DatasetError, match=r"all training rows are of class 'gn1', two or more are needed"):
        train(root, one, CONFIG, "alone")
    assert run_state(root, "alone") == "new"


def test_a_class_without_training_rows_is_left_out(root, dataset):
    frame = dataset.frame[(dataset.frame["part"] != "train") | (dataset.frame["class_id"] != "gn1")]
    run = train(root, replace(dataset, frame=frame), CONFIG.model_copy(update={"epochs": 1}), "four")
    assert set(run.classes["class_id"]) == {"gn0", "gn2", "gn3", "gn4"}


def test_training_needs_no_picture_of_the_test_part(tmp_path):
    root = DataRoot(tmp_path)
    dataset = small_dataset(root, seed=5, places=6)
    for sha256 in dataset.rows("test")["sha256"]:
        root.image(sha256).unlink()
    train(root, dataset, CONFIG.model_copy(update={"epochs": 1}), "blind")
    assert run_state(root, "blind") == "finished"


def test_a_mistyped_encoder_takes_no_run_name(root, dataset):
    with pytest.raises(EncoderError, match="unknown text encoder 'bert'"):
        train(root, dataset, CONFIG.model_copy(update={"text_encoder": "bert"}), "typo")
    assert run_state(root, "typo") == "new"


def test_learning_rates_fall_on_a_plateau_and_training_stops(root, dataset):
    changes = {"lr_heads": 1e-2, "schedule_factor": 0.5, "stop_patience": 3, "epochs": 60}
    config = CONFIG.model_copy(update=changes)
    run = train(root, dataset, config, "plateau")
    rates = run.curves["lr_heads"]
    assert rates.is_monotonic_decreasing
    assert rates.iloc[-1] < rates.iloc[0]
    assert run.epochs == run.best_epoch + 3 < 60


@pytest.mark.parametrize("select_by", ["val_loss", "val_mean_km"])
def test_the_epoch_that_is_kept_is_the_best_at_what_was_asked(root, dataset, select_by):
    config = CONFIG.model_copy(update={"select_by": select_by, "epochs": 6})
    run = train(root, dataset, config, f"by-{select_by}", validate=val_distance(dataset))
    assert run.curves[select_by].idxmin() + 1 == run.best_epoch


def test_a_figure_that_nobody_measures_is_refused(root, dataset):
    with pytest.raises(SettingsError, match="select_by 'val_mean_km': nobody measures it"):
        train(root, dataset, CONFIG.model_copy(update={"select_by": "val_mean_km"}), "unmeasured")


def test_figures_of_the_caller_stand_in_the_curves(root, dataset):
    run = train(root, dataset, CONFIG.model_copy(update={"epochs": 2}), "figures", validate=val_distance(dataset))
    assert (run.curves["val_mean_km"] > 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"views": "all", "fusion": "attention"},
        {"views": "all", "fusion": "concat", "haversine": 1.0},
        {"region": 0.5, "geography": 0.5},
        {"cells": 1.0, "gps": 1.0},
    ],
    ids=str,
)
def test_every_part_of_the_zoo_learns_and_comes_back_from_its_checkpoint(root, dataset, changes):
    config = CONFIG.model_copy(update={"epochs": 4, **changes})
    run = train(root, dataset, config, "-".join(changes))
    assert run.curves["train_loss"].iloc[-1] < run.curves["train_loss"].iloc[0]
    features, azimuths = [torch.rand(3, run.clip.image_head.projection.in_features)], [torch.tensor([0.0, 90.0, 180.0])]
    again = load_run(root, run.run)
    np.testing.assert_array_equal(run.posterior(features, azimuths), again.posterior(features, azimuths))


def test_the_studys_recipe_trains_on_the_encoders_at_hand(root, dataset):
    run = train(root, dataset, TrainConfig.study_recipe(image_encoder=CONFIG.image_encoder, epochs=2), "as-the-study")
    assert (run.config.loss, run.config.views, run.config.freeze_image) == ("study", "single", True)


def test_a_damaged_or_unknown_run_is_one_clear_line(root, dataset, trained):
    with pytest.raises(CheckpointError, match=r"no run 'nobody' .*there is .*whole"):
        load_run(root, "nobody")
    train(root, dataset, CONFIG.model_copy(update={"epochs": 1}), "damaged")
    path = root.run("damaged") / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(CheckpointError, match="not what training wrote"):
        load_run(root, "damaged")
