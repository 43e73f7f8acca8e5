"""Held-out classes are never trained on, and are asked about by name, among themselves."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.errors import DatasetError, SettingsError
from geolocate.evaluation import Bootstrap
from geolocate.evaluation.val_distance import val_distance
from geolocate.evaluation.zero_shot import (
    ZeroShotConfig,
    _names,
    askable,
    caption_features,
    draw_classes,
    transfer,
    without_classes,
    zero_shot,
)
from geolocate.geography.distances import nearest_km
from geolocate.geography.places import load_places
from geolocate.geography.regions import load_region
from geolocate.manifest import write_manifest
from geolocate.models.threads import one_thread
from geolocate.storage import DataRoot, read_json
from geolocate.training import TrainConfig, load_run, train
from geolocate.training.samples import trained_classes
from tests.evaluation.trained import RUNS, city_rows

FEW = Bootstrap(resamples=50)
CONFIG = ZeroShotConfig(held_out=2, seed=3, train=TrainConfig(pixels=64, epochs=3, batch_size=64))
US = {"Columbus": (39.961, -82.999), "Phoenix": (33.448, -112.074), "Miami": (25.774, -80.194)}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small tensors and a busy machine: waiting for the other thread takes longer than the work."""
    with one_thread():
        yield


@pytest.fixture(scope="module")
def mine(root, tmp_path_factory):
    """A copy, to be written to."""
    folder = tmp_path_factory.mktemp("zero") / "root"
    shutil.copytree(root.path, folder)
    return DataRoot(folder)


@pytest.fixture(scope="module")
def result(mine):
    return zero_shot(mine, open_dataset(mine, "cities"), CONFIG, bootstrap=FEW)


def test_nothing_of_a_held_out_class_trains_validates_or_calibrates(mine, result):
    dataset = open_dataset(mine, "cities")
    held = [one["class_id"] for one in result["held_out"]]
    view = without_classes(dataset, held)
    assert not view.frame["class_id"].isin(held).any()
    assert view.ref.sha256 != dataset.ref.sha256
    run = load_run(mine, result["run"])
    assert set(run.classes["class_id"]) == set(dataset.classes["class_id"]) - set(held)
    assert result["trained_classes"] == len(run.classes)


def test_answers_are_among_the_unseen_names_and_every_panorama_is_asked_about(mine, result):
    table = pd.read_parquet(mine.run(result["run"]) / "zero_shot.parquet")
    names = {one["class_name"] for one in result["held_out"]}
    assert set(table["predicted_class_name"]) <= names
    assert set(table["class_name"]) == names
    assert result["panoramas"] == len(table)
    assert set(table["part"]) > {"train", "test"}  # also what would have been trained on
    assert read_json(mine.run(result["run"]) / "zero_shot.json") == result


def test_chance_is_among_the_names_and_needs_no_picture(result):
    systems = result["metrics"]["accuracy"]
    assert set(systems) == {"model", "model_argmax", "uniform", "best_constant"}
    assert systems["uniform"]["value"] == pytest.approx(0.5)
    assert result["intervals"]["unit"] == "class"
    assert result["intervals"]["blocks"] == 2


def test_names_stand_where_the_gazetteer_has_them(mine, result):
    table = pd.read_parquet(mine.run(result["run"]) / "zero_shot.parquet")
    places = load_places(load_region("uk")).set_index("place_id").loc[[one["class_id"] for one in result["held_out"]]]
    low, high = places["lat"].min() - 0.01, places["lat"].max() + 0.01
    assert table["predicted_lat"].between(low, high).all()


def test_asked_again_it_trains_nothing_and_says_the_same(mine, result):
    again = zero_shot(mine, open_dataset(mine, "cities"), CONFIG, bootstrap=FEW)
    assert again == result


def test_test_panoramas_that_were_asked_about_are_written_down(mine, result):
    assert result["of_test_ground"] > 0
    log = (mine.dataset("cities") / "test_reads.jsonl").read_text()
    assert f"{result['run']} (zero_shot)" in log


def test_what_stands_beside_training_ground_is_not_asked_about(mine):
    dataset, region = open_dataset(mine, "cities"), load_region("uk")
    held = list(draw_classes(trained_classes(dataset), 2, 3)["class_id"])
    view = without_classes(dataset, held)
    train = view.rows("train").iloc[0]
    frame = dataset.frame.copy()
    near = frame.index[frame["class_id"].isin(held)][0]
    frame.loc[near, ["lat", "lon"]] = [train["lat"] + 0.001, train["lon"]]
    planted = replace(dataset, frame=frame)
    rows = askable(planted, view, held, region)
    assert frame.loc[near, "image_id"] not in set(rows["image_id"])
    learned = view.rows("train", "val")
    km = nearest_km(*rows[["lat", "lon"]].to_numpy().T, *learned[["lat", "lon"]].to_numpy().T)
    assert km.min() >= region.partition.buffer_km


def test_the_draw_depends_on_the_seed_alone():
    classes = pd.DataFrame({"class_id": [f"c{number:02d}" for number in range(40)]})
    drawn = list(draw_classes(classes, 10, 0)["class_id"])
    assert drawn == list(draw_classes(classes.sample(frac=1, random_state=1), 10, 0)["class_id"])
    assert drawn != list(draw_classes(classes, 10, 1)["class_id"])
    for count in (1, 39):
        with pytest.raises(SettingsError, match=f"{count} of 40 classes held out: choose 2 to 38"):
            draw_classes(classes, count, 0)


def test_captions_of_tuned_text_encoders_are_encoded_with_what_was_tuned(mine):
    """A frozen encoder's captions are those that training stored."""
    run = load_run(mine, RUNS[0])
    again = caption_features(run, list(run.classes["caption"]))
    assert np.allclose(again, run.text_features, atol=1e-5)
    tuned = TrainConfig(
        pixels=64,
        epochs=1,
        batch_size=256,
        freeze_text=False,
        text_encoder="minilm",
        lr_text=1e-3,
        select_by="val_loss",
    )
    moved = train(mine, open_dataset(mine, "cities"), tuned, "tuned-text")
    kept = caption_features(moved, list(moved.classes["caption"]))
    assert np.allclose(kept, moved.text_features, atol=1e-4)
    assert not np.allclose(kept, again, atol=1e-2)


def test_a_run_of_one_country_is_asked_about_another_by_its_names(mine):
    rows = [city_rows(mine, 100 + seed, *position) for seed, position in enumerate(US.values())]
    write_manifest(pd.concat(rows, ignore_index=True), mine.collection("us") / "manifest" / "0000.parquet")
    publish(mine, PublishRequest(name="us", collections=("us",), top=60, region="us"))
    dataset, run = open_dataset(mine, "us"), load_run(mine, RUNS[0])
    assert (dataset.classes["caption"] == "City: " + dataset.classes["class_name"]).all()
    result = transfer(mine, run, dataset, bootstrap=FEW)
    assert result["names"] == 3
    assert (result["region"], result["trained_region"]) == ("us", "uk")
    assert result["panoramas"] == dataset.rows("test")["panorama_id"].nunique()
    assert result["metrics"]["accuracy"]["uniform"]["value"] == pytest.approx(1 / 3)
    assert (run.path / "transfer-us.json").exists()
    with pytest.raises(DatasetError, match="is of region 'uk', as run"):
        transfer(mine, run, open_dataset(mine, "cities"))
    real = replace(dataset, card={**dataset.card, "world": "real"})
    with pytest.raises(DatasetError, match="figures of two worlds are no comparison"):
        transfer(mine, run, real)


def test_a_run_with_rich_captions_is_asked_in_its_own_words(mine):
    dataset = open_dataset(mine, "cities")
    config = ZeroShotConfig(2, 3, TrainConfig(pixels=64, epochs=1, batch_size=256, captions="rich", seed=9))
    view = without_classes(dataset, list(draw_classes(trained_classes(dataset), 2, 3)["class_id"]))
    run = train(mine, view, config.train, "rich", validate=val_distance(view))
    assert run.classes["caption"].str.contains("where traffic keeps to the left").all()
    names = _names(dataset, load_region("uk"), trained_classes(dataset), "rich")
    assert names["caption"].str.startswith("A Street View photo from ").all()
