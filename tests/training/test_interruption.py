"""A run that is broken off, after whatever step, and one whose loss is no number any more."""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from geolocate.errors import CheckpointError, SettingsError
from geolocate.storage import DataRoot
from geolocate.training import TrainConfig, load_run, loop, run_state, train
from tests.training.small_dataset import small_dataset

FROZEN = TrainConfig(pixels=32, epochs=3, batch_size=32, projection=32, select_by="val_loss")
#: Dropout in the heads, batch normalisation in the encoder, a warm-up and an average: all that has a state.
TUNED = FROZEN.model_copy(
    update={
        "freeze_image": False,
        "epochs": 2,
        "micro_batch": 12,
        "warmup_steps": 3,
        "schedule": "cosine",
        "ema": 0.9,
        "views": "any",
    }
)
#: Steps an epoch, of 40 training places with three views each.
STEPS = 4

_KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from geolocate.storage import DataRoot
from geolocate.training import TrainConfig, loop, train
from geolocate.training.learner import Learner
from tests.training.small_dataset import small_dataset

torch.set_num_threads(1)
loop.SAVE_EVERY_S = 0.0
left, step = int(sys.argv[3]), Learner.step

def counted(self, batch):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch)

Learner.step = counted
root = DataRoot(Path(sys.argv[1]))
train(root, small_dataset(root), TrainConfig.model_validate_json(sys.argv[2]), sys.argv[4])
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return DataRoot(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def dataset(root):
    return small_dataset(root)


def _killed_after(root: DataRoot, steps: int, config: TrainConfig, run: str) -> None:
    command = [sys.executable, "-c", _KILLED, str(root.path), config.model_dump_json(), str(steps), run]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert run_state(root, run) == "interrupted"


def _weights(root: DataRoot, run: str) -> str:
    return hashlib.sha256((root.run(run) / "checkpoint.safetensors").read_bytes()).hexdigest()


def _curves(root: DataRoot, run: str) -> pd.DataFrame:
    return pd.read_csv(root.run(run) / "curves.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def killed(root, dataset):
    """A run with frozen encoders that was killed in its second epoch."""
    _killed_after(root, STEPS + 2, FROZEN, "killed")
    return root.run("killed")


def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(root, dataset, killed, caplog):
    train(root, dataset, FROZEN, "whole")
    shutil.copytree(killed, root.run("resumed"))
    with pytest.raises(CheckpointError, match="is not finished"):
        load_run(root, "resumed")
    with caplog.at_level("INFO", "geolocate"):
        train(root, dataset, FROZEN, "resumed")
    assert "going on after epoch 1 and 2 steps of resumed" in caplog.text
    assert _weights(root, "resumed") == _weights(root, "whole")
    pd.testing.assert_frame_equal(_curves(root, "resumed"), _curves(root, "whole"), check_exact=True)


def test_so_does_one_with_a_tuned_encoder_killed_at_a_step_of_chance(root, dataset):
    train(root, dataset, TUNED, "tuned-whole")
    _killed_after(root, random.randrange(1, 2 * STEPS), TUNED, "tuned")
    train(root, dataset, TUNED, "tuned")
    assert _weights(root, "tuned") == _weights(root, "tuned-whole")
    pd.testing.assert_frame_equal(_curves(root, "tuned"), _curves(root, "tuned-whole"), check_exact=True)


def test_a_loss_that_is_no_number_stops_and_keeps_what_was_good(root, dataset, killed, tmp_path):
    mine = DataRoot(shutil.copytree(root.path, tmp_path / "data"))
    before = (mine.run("killed") / "last.safetensors").read_bytes()
    [shard] = (mine.path / "store" / "features").glob("*/*.safetensors")
    rows = load_file(shard)
    save_file(rows | {"features": torch.full_like(rows["features"], torch.inf)}, shard)
    said = r"the loss became nan in epoch 2, step 3, at the batch of \d+ panorama\(s\) that begins with \w+-\d+, "
    with pytest.raises(SettingsError, match=said):
        train(mine, dataset, FROZEN, "killed")
    assert (mine.run("killed") / "last.safetensors").read_bytes() == before


def test_a_state_of_another_version_is_one_clear_line(root, dataset, killed):
    shutil.copytree(killed, root.run("older"))
    tensors, state = loop.read_state(killed)
    loop.save_state(root.run("older"), {f"another.{name}": value for name, value in tensors.items()}, state)
    said = r"is of another version of this program: delete .*older and train again"
    with pytest.raises(CheckpointError, match=said):
        train(root, dataset, FROZEN, "older")
