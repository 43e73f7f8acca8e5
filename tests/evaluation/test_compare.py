import shutil

import pandas as pd
import pytest

from geolocate.errors import CheckpointError
from geolocate.evaluation import compare
from geolocate.storage import read_json, write_json
from tests.evaluation.trained import RUNS


@pytest.fixture
def other(root, evaluated):
    """A copy of the second run that a test may change."""
    shutil.copytree(root.run(RUNS[1]), root.run("other"))
    yield root.run("other")
    shutil.rmtree(root.run("other"))


def test_runs_of_one_dataset_stand_side_by_side_with_chance_once(root, evaluated):
    compared = compare(root, RUNS)
    for metric, systems in compared["metrics"].items():
        assert set(systems) == {*RUNS, "uniform", "prior", "best_constant"}
        difference = systems[RUNS[1]]["value"] - systems[RUNS[0]]["value"]
        assert compared["paired"][metric][RUNS[1]]["value"] == pytest.approx(difference)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"world": "real"}, "world emulated and real"),
        ({"world_version": "2-7"}, "version of the emulated world 1 and 2-7"),
        ({"dataset": {"name": "towns", "version": "1", "sha256": "f"}}, "dataset cities@.* and towns@1"),
        ({"partition_version": "uk-of-old"}, "ground partition"),
    ],
)
def test_what_is_not_comparable_is_refused_in_one_line(root, other, change, named):
    write_json(other / "metrics.json", {**read_json(other / "metrics.json"), **change})
    with pytest.raises(CheckpointError, match=named) as refusal:
        compare(root, [RUNS[0], "other"])
    assert "\n" not in str(refusal.value)


def test_other_test_panoramas_are_refused(root, other):
    path = other / "predictions.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(CheckpointError, match="different test panoramas"):
        compare(root, [RUNS[0], "other"])


def test_a_run_that_was_not_evaluated_and_a_single_run_are_refused(root, other):
    (other / "metrics.json").unlink()
    with pytest.raises(CheckpointError, match="'other' is not evaluated"):
        compare(root, [RUNS[0], "other"])
    with pytest.raises(CheckpointError, match="1 run to compare"):
        compare(root, [RUNS[0], RUNS[0]])
