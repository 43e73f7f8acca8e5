"""What the shards of a run share: also the end, when one of them cannot go on."""

import pytest

from geolocate.collection import collect
from geolocate.errors import StorageError
from tests.collection.stand_in import plan_of

CONCURRENCY = 4


def test_one_shard_that_cannot_write_stops_all_of_them(root, server, request_for):
    """Each picture is paid for: three shards must not each find out by themselves that there is no room."""
    store = root.path / "store"
    store.mkdir(parents=True, exist_ok=True)
    (store / "images").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="cannot write"):
        collect(root, request_for(concurrency=CONCURRENCY), plan_of(90, shards=3))
    assert len(server.images) <= 2 * CONCURRENCY
    (store / "images").unlink()
    summary = collect(root, request_for(concurrency=CONCURRENCY), plan_of(90, shards=3))
    assert summary.statuses == {"complete": 90}
