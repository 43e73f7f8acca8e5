"""What asking needs, opened at the first request for it and shared by all shards of a run.

In: a data root and a request. Out: an engine a shard; all of them share the provider's session, its throttle and the
session on the ledger. A run that has nothing to ask opens nothing.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Self, TypeVar

import numpy as np

from geolocate.collection.engine import Desk, Engine
from geolocate.collection.keeping import Keeper
from geolocate.collection.ledger import Ledger
from geolocate.collection.quota import DailyGuard
from geolocate.collection.records import CollectRequest
from geolocate.collection.shared_pace import SharedPace
from geolocate.collection.throttle import StoppedError, Throttle
from geolocate.collection.writer import LedgerWriter
from geolocate.errors import GeolocateError
from geolocate.providers import Provider, check_endpoint
from geolocate.providers.registry import provider_from_settings
from geolocate.providers.sites import Backing
from geolocate.storage import DataRoot

Item = TypeVar("Item")
T = TypeVar("T")
#: So many shards are under way at a time: the last requests of one and the tables of another leave no lull.
SHARDS_AT_ONCE = 3
#: How long a thread of the interpreter may keep the others waiting, in seconds. Decoding, flushing and the event loop
#: hand over to each other some ten times a picture: with Python's 5 ms most of the time is spent waiting.
_TURN_S = 0.0005


class Office:
    """Use as an asynchronous context around all shards of a run."""

    def __init__(self, root: DataRoot, request: CollectRequest) -> None:
        self.root = root
        self.request = request
        self._desk: Desk | None = None
        self._throttles: dict[str, Throttle] = {}
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def engine(self, phase: str) -> Engine:
        """Return an engine for one phase of one shard.

        Each phase has a throttle of its own: an account may be good for metadata and not for pictures, so that the
        first picture has to prove itself as the first search had.
        Raises what check_endpoint raises: the provider may not be asked, or nobody answers.
        """
        async with self._opening:
            if self._desk is None:
                self._desk = await self._opened()
        if phase not in self._throttles:
            self._throttles[phase] = self._throttle(phase, self._desk.provider)
        return Engine(self.root, self.request, self._desk, self._throttles[phase])

    def _throttle(self, phase: str, provider: Provider) -> Throttle:
        shared = self._open.enter_context(SharedPace(self.root.pace(provider.name), phase))
        return Throttle(self.request.pace, np.random.default_rng(), shared, provider.requests_per_second)

    async def _opened(self) -> Desk:
        request = self.request
        version = await asyncio.to_thread(check_endpoint, request.settings, request.rights)
        ledger = self._open.enter_context(Ledger(self.root.ledger))
        writer = await self._open.enter_async_context(LedgerWriter(ledger))
        provider = provider_from_settings(request.settings, version, Backing(request.rights, DailyGuard(writer)))
        self._open.push_async_callback(provider.close)
        self._open.enter_context(_quick_turns())
        return Desk(
            provider=provider,
            writer=writer,
            keeper=await self._open.enter_async_context(Keeper(self.root)),
            limit=asyncio.Semaphore(request.concurrency),
        )

    async def each_shard(self, shards: Iterable[Item], work: Callable[[Item], Awaitable[T]]) -> list[T]:
        """Work on some shards at a time; after the first that fails no other is begun, and those under way end.

        Raises the first error then, preferring one that a user can mend, and the cause to what it has stopped.
        """
        results: list[T] = []
        errors: list[Exception] = []
        todo = iter(shards)

        async def worker() -> None:
            for shard in todo:
                if errors:
                    return
                try:
                    results.append(await work(shard))
                except Exception as error:
                    errors.append(error)

        await asyncio.gather(*[worker() for _ in range(SHARDS_AT_ONCE)])
        if errors:
            raise min(errors, key=_rank)
        return results


def with_office(root: DataRoot, request: CollectRequest, work: Callable[[Office], Awaitable[T]]) -> T:
    """Run something in an office of its own."""

    async def run() -> T:
        async with Office(root, request) as office:
            return await work(office)

    return asyncio.run(run())


def _rank(error: Exception) -> int:
    """Order errors by what they tell: what can be mended, what is a mistake of ours, what was only stopped."""
    if isinstance(error, StoppedError):
        return 2
    return 0 if isinstance(error, GeolocateError) else 1


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Make threads hand over quickly for as long as any office of this process is open."""
    with _QUICK:
        _quick_offices.append(sys.getswitchinterval())
        sys.setswitchinterval(min(_quick_offices[0], _TURN_S))
    try:
        yield
    finally:
        with _QUICK:
            usual = _quick_offices[0]
            _quick_offices.pop()
            if not _quick_offices:
                sys.setswitchinterval(usual)


_QUICK = threading.Lock()
#: The interpreter's usual interval first, then one entry for each further office.
_quick_offices: list[float] = []
