"""The best on val ground goes into use, whatever its test figures, and says what it must not be used for."""

import shutil

import pandas as pd
import pytest

from geolocate.errors import CheckpointError
from geolocate.reporting.promotion import promote, standing, val_figure
from geolocate.storage import read_json, write_json
from geolocate.training.checkpoints import load_run
from tests.evaluation.trained import RUNS


@pytest.fixture
def nothing_promoted(root, evaluated):
    yield root
    shutil.rmtree(root.path / "models", ignore_errors=True)


def by_val(root):
    return sorted(RUNS, key=lambda run: val_figure(load_run(root, run)))


def test_the_best_on_val_ground_is_promoted_with_its_card(nothing_promoted):
    root = nothing_promoted
    promoted = promote(root, RUNS)
    assert promoted.run == by_val(root)[0]
    folder = root.model("cities", promoted.version)
    assert read_json(root.model("cities") / "promoted.json")["version"] == promoted.version
    card = (folder / "MODEL_CARD.md").read_text()
    for said in (
        "Emulated world",
        "must not be used",
        "follow or identify people",
        "best constant",
        "| own |",
        "val_mean_km",
    ):
        assert said in card
    assert (folder / "checkpoint.safetensors").read_bytes() == (
        root.run(promoted.run) / "checkpoint.safetensors"
    ).read_bytes()


def test_a_worse_one_on_val_is_refused_even_with_better_test_figures(nothing_promoted):
    root = nothing_promoted
    best, worse = by_val(root)
    assert standing(root, worse) == "first"
    promote(root, [best])
    assert standing(root, worse) == "no better"
    path = root.run(worse) / "metrics.json"
    before = read_json(path)
    boasting = read_json(path)
    boasting["metrics"]["mean_km"]["model"]["value"] = 0.0
    write_json(path, boasting)
    with pytest.raises(CheckpointError, match="nothing is promoted, less is better"):
        promote(root, [worse])
    write_json(path, before)


def test_a_better_one_takes_the_place_and_keeps_the_reason(nothing_promoted):
    root = nothing_promoted
    best = by_val(root)[0]
    first = promote(root, [best])
    in_use = root.model("cities") / "promoted.json"
    write_json(in_use, read_json(in_use) | {"version": "0123456789ab", "value": first.value + 10})
    assert standing(root, best) == "better"
    promote(root, [best])
    assert read_json(root.model("cities", first.version) / "promotion.json")["reason"] == (
        f"val_mean_km {first.value:.1f}; 0123456789ab, in use before, had {first.value + 10:.1f}"
    )


def test_a_run_without_the_figure_and_one_of_another_dataset_are_refused(nothing_promoted):
    root = nothing_promoted
    shutil.copytree(root.run(RUNS[0]), root.run("blind"))
    curves = pd.read_csv(root.run("blind") / "curves.csv")
    curves.drop(columns="val_mean_km").to_csv(root.run("blind") / "curves.csv", index=False)
    with pytest.raises(CheckpointError, match="'blind' has no val_mean_km"):
        promote(root, ["blind"])
    path = root.run("blind") / "checkpoint.json"
    card = read_json(path)
    write_json(path, {**card, "dataset": {**card["dataset"], "sha256": "0" * 64}})
    with pytest.raises(CheckpointError, match="val figures are no comparison"):
        promote(root, [RUNS[0], "blind"])
    shutil.rmtree(root.run("blind"))
