"""One published dataset for all tests that only read it."""

import pytest

from tests.dataset.published import copy_of, published_root


@pytest.fixture(scope="session")
def cities(tmp_path_factory):
    """A root with the dataset `cities`: to be read only."""
    return published_root(tmp_path_factory.getbasetemp() / "published-cities")


@pytest.fixture
def own_cities(cities, tmp_path):
    """A copy of that root, to be written to."""
    return copy_of(cities, tmp_path / "data")
