"""sweep-clip on a real Prefect server: each trial a task run, its curve shown while it is trained."""

import json

import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from geolocate.storage import DataRoot
from geolocate.training.config import TrainConfig
from tests.evaluation.trained import trained_root


@pytest.fixture(scope="module")
def machine(tmp_path_factory, prefect_server):
    """A data root with a published dataset."""
    root = trained_root(tmp_path_factory.getbasetemp() / "trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOLOCATE_DATA", str(root.path))
        yield DataRoot(root.path)


def artifacts(text):
    with get_client(sync_client=True) as client:
        return [one for one in client.read_artifacts() if text in (one.description or "")]


@pytest.fixture(scope="module")
def result(machine):
    from flows.sweep_clip import sweep_clip

    return sweep_clip("cities", trials=2, epochs=3)


def test_it_ends_in_a_configuration_that_can_be_trained(machine, result):
    chosen = TrainConfig.model_validate(json.loads((machine.run(result["sweep"]) / "chosen.json").read_text()))
    assert chosen.weight_decay == result["settings"]["weight_decay"]
    assert (machine.run(result["run"]) / "checkpoint.json").exists()
    assert (machine.run(result["sweep"]) / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_each_trial_is_a_task_run_and_shows_its_curve(machine, result):
    with get_client(sync_client=True) as client:
        names = {run.name for run in client.read_task_runs()}
    assert {"trial 0 on cities", "trial 1 on cities", "choose on cities"} <= names
    [curves] = artifacts(f"{result['sweep']}-t000: curves")
    head, _, *epochs = curves.data.splitlines()
    assert "val_mean_km" in head
    assert [line.split("|")[1].strip() for line in epochs] == ["3", "2", "1"]
    [trials] = artifacts("Figures on val ground")
    assert [row["number"] for row in json.loads(trials.data)] == ["0", "1"]


def test_run_again_with_more_trials_it_searches_on(machine, result):
    from flows.sweep_clip import sweep_clip

    again = sweep_clip("cities", trials=3, epochs=3)
    assert again["sweep"] == result["sweep"]
    assert len(pd.read_csv(machine.run(again["sweep"]) / "trials.csv")) == 3
