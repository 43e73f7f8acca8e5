"""Two processes, as torchrun starts them, do what one does."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from geolocate.storage import DataRoot
from geolocate.training import load_run, train
from tests.training.small_dataset import small_dataset
from tests.training.test_interruption import FROZEN
from tests.training.test_steps import learner_of, step_on, stored_pictures

_SCRIPT = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from geolocate.storage import DataRoot
from geolocate.training import parallel, train
from tests.training.small_dataset import small_dataset
from tests.training.test_interruption import FROZEN
from tests.training.test_steps import learner_of, step_on

torch.set_num_threads(1)
root = DataRoot(Path(sys.argv[1]))
names = sys.argv[2].split(",")
with parallel.joined():
    for micro in (None, 2):
        found = step_on(learner_of((root, names), micro_batch=micro))
        rank = torch.distributed.get_rank()
        save_file(found, Path(sys.argv[1]) / f"step-{micro}-{rank}.safetensors")
    train(root, small_dataset(root), FROZEN, "together")
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What two processes made: the gradients of one step, by micro-batch and process, and a whole run."""
    root = DataRoot(tmp_path_factory.mktemp("data"))
    names = stored_pictures(root)
    small_dataset(root)
    script = root.path / "script.py"
    script.write_text(_SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    there = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(there), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), str(root.path), ",".join(names)],
        cwd=there,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return root, names


@pytest.mark.parametrize("micro", [None, 2])
def test_two_processes_give_the_loss_and_the_gradients_of_one(both, micro):
    root, names = both
    alone = step_on(learner_of((root, names)))
    for rank in (0, 1):
        found = load_file(root.path / f"step-{micro}-{rank}.safetensors")
        assert found.keys() == alone.keys()
        for name, value in alone.items():
            assert torch.allclose(found[name], value, atol=1e-5), (rank, name)
    assert alone["pictures.module.last.weight"].abs().max() > 1e-3


def test_a_run_of_two_processes_is_that_of_one(both):
    root, _ = both
    train(root, small_dataset(root), FROZEN, "alone")
    curves = [load_run(root, run).curves.drop(columns="seconds") for run in ("together", "alone")]
    pd.testing.assert_frame_equal(*curves, rtol=1e-4)
