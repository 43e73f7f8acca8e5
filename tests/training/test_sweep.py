import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import CheckpointError, SettingsError
from geolocate.evaluation.val_distance import val_distance
from geolocate.storage import DataRoot, read_json
from geolocate.training import sweep as module
from geolocate.training.config import TrainConfig
from geolocate.training.sweep import Sweep, SweepConfig
from tests.training.small_dataset import small_dataset

BASE = TrainConfig(
    image_encoder="efficientnet-lite0=random",
    text_encoder="minilm=random",
    pixels=32,
    projection=8,
    epochs=5,
    batch_size=64,
    stop_patience=5,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = DataRoot(tmp_path_factory.mktemp("sweeps"))
    return root, small_dataset(root)


def swept(world, name, limit=99, **options):
    """Run a sweep, or ``limit`` trials of it."""
    root, dataset = world
    sweep = Sweep(root, name, dataset, SweepConfig(**{"base": BASE, "trials": 8, **options}))
    while limit and (trial := sweep.ask()):
        sweep.run(trial, val_distance(dataset))
        limit -= 1
    return sweep


@pytest.fixture(scope="module")
def whole(world):
    """A sweep of four trials that nothing interrupted."""
    return swept(world, "whole", trials=4)


class WithoutTest(DatasetVersion):
    """A version whose test rows nobody may touch."""

    def rows(self, *parts):
        assert parts, "all parts"
        assert not {"test", "sample", "calibration"} & set(parts)
        return super().rows(*parts)


def test_only_train_and_val_are_read(world, whole):
    root, dataset = world
    guarded = WithoutTest(dataset.path, dataset.ref, dataset.card, dataset.frame, dataset.classes)
    with pytest.raises(AssertionError):
        guarded.rows("test")
    first = whole.table().iloc[:2]
    pd.testing.assert_frame_equal(swept((root, guarded), "guarded", trials=2).table(), first)


def test_the_best_on_val_is_chosen_and_is_no_worse_than_where_it_began(whole):
    chosen, table = whole.finish(), whole.table()
    trained = table[table["outcome"] == "trained"]
    assert len(table) == 4
    assert table["outcome"].iloc[0] == "trained"
    assert table["lr_heads"].iloc[0] == BASE.lr_heads
    assert table["val_mean_km"].iloc[chosen.number] == trained["val_mean_km"].min() <= trained["val_mean_km"].iloc[0]
    assert table["lr_heads"].nunique() == 4
    assert TrainConfig.model_validate(read_json(whole.folder / "chosen.json")) == chosen.config
    assert pd.read_csv(whole.folder / "trials.csv")["number"].tolist() == list(range(4))


def test_hopeless_trials_are_broken_off_and_leave_no_run(world, monkeypatch):
    monkeypatch.setattr(module, "_WARM_TRIALS", 1)
    monkeypatch.setattr(module, "_WARM_EPOCHS", 0)
    sweep = swept(world, "pruned", trials=5)
    table = sweep.table()
    pruned = table[table["outcome"] == "pruned"]
    assert len(pruned)
    assert (pruned["epochs"] < BASE.epochs).all()
    for number, outcome, _ in sweep.curves():
        assert sweep.root.run(f"pruned-t{number:03d}").exists() == (outcome == "trained")


def test_a_sweep_in_two_parts_proposes_what_a_whole_one_does(world, whole):
    swept(world, "halves", limit=1, trials=2)
    halves = swept(world, "halves", trials=3).table()
    pd.testing.assert_frame_equal(halves, whole.table().iloc[:3])


def test_the_learning_rate_of_a_frozen_encoder_is_not_searched():
    assert not {"lr_image", "lr_text"} & set(SweepConfig(base=BASE).space)
    tuned = BASE.model_copy(update={"freeze_image": False})
    assert {"lr_image", "lr_heads"} <= set(SweepConfig(base=tuned).space)


def test_the_space_reaches_where_the_search_begins():
    far = BASE.model_copy(update={"lr_heads": 0.5, "schedule_patience": 9, "weight_decay": 0.0})
    space = SweepConfig(base=far).space
    assert (space["lr_heads"].high, space["schedule_patience"].high) == (0.5, 9)
    assert space["weight_decay"].low > 0  # there is no logarithm of 0


def test_a_name_belongs_to_one_sweep(world):
    swept(world, "taken", limit=1)
    with pytest.raises(CheckpointError, match="started with another base"):
        swept(world, "taken", base=BASE.model_copy(update={"projection": 16}))
    with pytest.raises(CheckpointError, match="is a training run"):
        swept(world, "taken-t000")
    with pytest.raises(SettingsError, match="no trial of sweep 'none'"):
        swept(world, "none", limit=0).finish()


def test_what_cannot_be_trained_is_said_after_three_trials(world):
    diverging = BASE.model_copy(update={"select_by": "val_loss", "lr_heads": 1.0, "temperature": 0.01})

    def broken(*_):
        raise SettingsError("the loss became nan")

    root, dataset = world
    sweep = Sweep(root, "broken", dataset, SweepConfig(base=diverging, trials=5))
    assert [sweep.run(sweep.ask(), broken) for _ in range(2)] == ["failed", "failed"]
    with pytest.raises(SettingsError, match="became nan"):
        sweep.run(sweep.ask(), broken)


SWEEPING = """
import sys, time, json
from pathlib import Path
import torch
from geolocate.evaluation.val_distance import val_distance
from geolocate.storage import DataRoot
from geolocate.training.sweep import Sweep, SweepConfig
from tests.training.small_dataset import small_dataset
torch.set_num_threads(1)
root = DataRoot(Path(sys.argv[1]))
dataset = small_dataset(root)
sweep = Sweep(root, "killed", dataset, SweepConfig.model_validate_json(sys.argv[2]))
while trial := sweep.ask():
    sweep.run(trial, val_distance(dataset), lambda *_: time.sleep(0.05))
"""


def test_a_killed_sweep_goes_on_in_the_trial_that_it_was_in(world, whole):
    root, _ = world
    config = SweepConfig(base=BASE, trials=2)
    process = subprocess.Popen([sys.executable, "-c", SWEEPING, str(root.path), config.model_dump_json()])
    curves = root.run("killed-t001") / "curves.csv"
    limit = time.monotonic() + 90
    while not (curves.exists() and len(pd.read_csv(curves)) >= 2) and time.monotonic() < limit:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    started = json.loads((root.run("killed-t001") / "config.json").read_text())
    sweep = Sweep(root, "killed", small_dataset(root), config)
    trial = sweep.ask()
    assert trial.number == 1
    assert started["config"] == trial.config.model_dump(mode="json")
    pd.testing.assert_frame_equal(swept(world, "killed", trials=2).table(), whole.table().iloc[:2])
