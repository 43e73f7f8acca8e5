"""One trained root for the tests that need real files."""

import pytest

from tests.evaluation.trained import RUNS, trained_root


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """A data root with a published dataset and two finished runs."""
    return trained_root(tmp_path_factory.getbasetemp() / "trained")


@pytest.fixture(scope="session")
def evaluated(root):
    """The metrics of both runs, evaluated."""
    from geolocate.evaluation import evaluate

    return [evaluate(root, run) for run in RUNS]
