"""Tell the automations when most of what a collection may cost is spent, while it still runs.

In: the request of a collection, and its progress. Out: one event a run, when a cap is four fifths used up.
"""

import threading
import time
from collections.abc import Callable

from prefect.events import emit_event

from geolocate.collection import CollectRequest
from geolocate.collection.ledger import Ledger
from geolocate.storage import DataRoot

#: What automations may wait for.
MOSTLY_SPENT = "geolocate.collection.budget-80"
SHARE = 0.8
#: The ledger is asked at most once in so many seconds.
LOOK_S = 5.0

Progress = Callable[[int, int], None]


class BudgetWatch:
    """Looks at what one collection has spent; all shards of this process share it, so that it tells once."""

    def __init__(self, root: DataRoot, request: CollectRequest) -> None:
        self._root, self._request = root, request
        self._lock = threading.Lock()
        # What an earlier run has spent was told by that one.
        self._told = self._used() is not None
        self._looked = time.monotonic()

    def watching(self, progress: Progress) -> Progress:
        """Return the same progress, with a look at the ledger now and then and at the end of each shard."""

        def report(done: int, total: int) -> None:
            progress(done, total)
            if done >= total or time.monotonic() - self._looked >= LOOK_S:
                self.look()

        return report

    def look(self) -> None:
        """Tell, unless it was told before, that a cap is mostly used up."""
        with self._lock:
            if self._told:
                return
            self._looked = time.monotonic()
            used = self._used()
            self._told = used is not None
        if used is not None:
            name = self._request.name
            world = "; emulated world: nothing was paid" if self._request.settings.world == "emulated" else ""
            emit_event(
                event=MOSTLY_SPENT,
                resource={"prefect.resource.id": f"geolocate.collection.{name}", "prefect.resource.name": name},
                payload={"message": f"{name} has used {used}{world}", "collection": name},
            )

    def _used(self) -> str | None:
        """Say how much of a cap is used up, where it is most of it."""
        with Ledger(self._root.ledger) as ledger:
            spent = ledger.totals(self._request.name)
        budget, images = self._request.budget_usd, self._request.max_images
        if budget and spent.micro_usd >= SHARE * budget * 1_000_000:
            return f"${spent.micro_usd / 1_000_000:,.2f} of budget_usd={budget:g}"
        if images and spent.image_requests >= SHARE * images:
            return f"{spent.image_requests:,} of max_images={images:,}"
        return None


_watches: dict[tuple[object, ...], BudgetWatch] = {}
_watches_lock = threading.Lock()


def budget_watch(root: DataRoot, request: CollectRequest, run: str | None) -> BudgetWatch:
    """Return the one watch that this process keeps for a collection, its caps, and a flow run."""
    key = (root, request.name, request.budget_usd, request.max_images, run)
    with _watches_lock:
        if key not in _watches:
            _watches[key] = BudgetWatch(root, request)
        return _watches[key]
