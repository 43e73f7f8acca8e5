"""A coverage tile is fetched once, and again only for who asks for what is newer than the file."""

import asyncio
import time
from datetime import UTC, datetime

import mapbox_vector_tile
import pytest

from geolocate.providers.coverage_store import CoverageStore
from geolocate.records import SamplePoint


@pytest.fixture
def asked(tmp_path):
    """Ask a store of its own for what is around a point; gives how many tiles were fetched so far."""
    fetched = []

    async def fetch(tile):
        fetched.append(tile)
        return mapbox_vector_tile.encode({"name": "image", "features": []})

    async def around(since):
        store = CoverageStore(tmp_path, fetch)
        await store.around(SamplePoint("p", 0, "g", 51.5074, -0.1278, 1.0, 1.0, since=since))
        await store.close()

    def ask(since=""):
        asyncio.run(around(since))
        return len(fetched)

    return ask


def test_a_tile_is_fetched_once_and_anew_for_a_later_moment(asked):
    assert asked() == 1
    assert asked() == 1
    time.sleep(0.05)  # a file's time may lag behind the clock by some milliseconds
    since = datetime.now(UTC).isoformat(timespec="microseconds")
    time.sleep(0.05)
    assert asked(since) == 2
    assert asked(since) == 2
    assert asked() == 2
