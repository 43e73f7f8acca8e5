"""One pace for several machines: Prefect's global concurrency limit that bears the provider's name.

In: a turn that a collection wants to take. Out: nothing; it returns once the turn is granted. The server is asked for
some seconds' worth at a time, for all shards of this process, so that it costs the same however fast a provider is.
"""

import logging
import math
import threading
import time
from functools import cache

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError, rate_limit
from prefect.exceptions import ObjectNotFound

from geolocate.errors import StackError

log = logging.getLogger("geolocate.pace")

#: So many seconds' worth of turns are taken at a time.
BATCH_S = 2.0
#: Where the server holds no such limit, or does not answer, it is asked again after so many seconds.
LOOK_AGAIN_S = 30.0


class ServerPace:
    """The turns that the server has granted this process by one limit; all threads of the process share them.

    Where the server has no such limit, or does not answer, every turn is granted: each machine then keeps to the
    provider's pace by itself.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = 0
        self._free_until = 0.0
        self._lock = threading.Lock()

    async def __call__(self) -> None:
        """Wait until one more turn is granted; raise StackError for a limit that does not free its slots by itself."""
        while not self._take():
            granted = await self._granted()
            with self._lock:
                self._left += granted

    def _take(self) -> bool:
        with self._lock:
            if time.monotonic() < self._free_until:
                return True
            if not self._left:
                return False
            self._left -= 1
            return True

    async def _granted(self) -> int:
        """Take one batch from the server; 0 where it limits nothing."""
        try:
            limit = await _read(self._name)
            if limit is not None and limit.active:
                batch = _batch(limit)
                await rate_limit(self._name, occupy=batch)
                return batch
        except (httpx.HTTPError, ConcurrencySlotAcquisitionError) as error:
            log.warning(
                "Prefect's server does not say how fast %s may be asked (%s): this machine keeps to its own pace",
                self._name,
                type(error).__name__,
            )
        self._free_until = time.monotonic() + LOOK_AGAIN_S
        return 0


@cache
def pace_of(provider: str) -> ServerPace:
    """Return the one pace that this process keeps for a provider."""
    return ServerPace(provider)


async def _read(name: str) -> GlobalConcurrencyLimitResponse | None:
    async with get_client() as client:
        try:
            return await client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            return None


def _batch(limit: GlobalConcurrencyLimitResponse) -> int:
    """Return how many slots to take at a time; more than the limit holds would never be granted."""
    if not limit.slot_decay_per_second:
        raise StackError(
            f"the global concurrency limit {limit.name!r} frees no slots by itself: run `prefect gcl update "
            f"{limit.name} --slot-decay-per-second N`, where all machines together may send N a second"
        )
    return max(1, min(limit.limit, math.ceil(limit.slot_decay_per_second * BATCH_S)))
