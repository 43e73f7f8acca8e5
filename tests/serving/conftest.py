"""One trained root for the tests that need real files."""

import pytest

from tests.evaluation.trained import trained_root


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """A data root with a published dataset and two finished runs."""
    return trained_root(tmp_path_factory.getbasetemp() / "trained")
