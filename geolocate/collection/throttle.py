"""How fast requests leave, and what happens after a bad answer.

In: a rate, a seed. Out: the moment at which a request may leave; a pause of everybody after a used-up quota; the end
of everything after a handful of refusals.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from geolocate.errors import ProviderError
from geolocate.providers.protocol import RefusedError, ThrottledError


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard a provider is asked.

    400 a second stays below Google's 30,000 a minute with room for a second process. A provider's Retry-After is
    honoured up to ``longest_pause_s``: hours have been seen.
    """

    per_second: float = 400.0
    attempts: int = 5
    #: A picture that was paid for and is none is asked for once more; after that, only by another run.
    paid_attempts: int = 2
    first_pause_s: float = 0.25
    longest_pause_s: float = 60.0
    #: After so many refusals, failures or pauses without a proper answer in between, everything stops. Quota answers
    #: do not count as attempts, for everybody waits; but not for ever.
    refusals: int = 4
    failures: int = 100
    quota_pauses: int = 12


class StoppedError(ProviderError):
    """Everything has stopped: the provider refuses, or nothing answers; the message is its last one."""


class Throttle:
    """A token bucket, a pause and a circuit breaker, shared by all requests of a run.

    Until the first proper answer only one request is under way at a time, so that a wrong key costs a handful of
    requests and not one for every connection.
    """

    def __init__(self, pace: Pace, rng: np.random.Generator) -> None:
        self.pace = pace
        self.broken: ProviderError | None = None
        self._rng = rng
        self._next = time.monotonic()
        self._paused_until = 0.0
        self._proved = False
        self._probe = asyncio.Lock()
        self._refusals = self._failures = self._pauses = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait until one more request may leave, and send it inside.

        Raises StoppedError without waiting once everything has stopped.
        """
        if not self._proved:
            async with self._probe:
                if not self._proved:
                    await self._turn()
                    yield
                    return
        await self._turn()
        yield

    async def _turn(self) -> None:
        self._check()
        while (moment := time.monotonic()) < self._paused_until:
            # Leaving a pause in step would be the next burst.
            await asyncio.sleep(self._paused_until - moment + self._rng.uniform(0, self.pace.first_pause_s))
            self._check()
        # Ten requests may leave at once after a lull, no more: quotas are counted over short windows too.
        self._next = max(self._next, moment - 10 / self.pace.per_second) + 1 / self.pace.per_second
        if self._next > moment:
            await asyncio.sleep(self._next - moment)
            self._check()

    def _check(self) -> None:
        if self.broken is not None:
            raise StoppedError(str(self.broken))

    def answered(self) -> None:
        """Tell that a request was answered properly."""
        self._proved = True
        self._refusals = self._failures = self._pauses = 0

    def failed(self, error: ProviderError) -> None:
        """Count an answer that was none, and act on its kind: pause everybody, or stop everything."""
        if isinstance(error, ThrottledError):
            self._pause(error)
        elif isinstance(error, RefusedError):
            self._refusals += 1
            self._stop_after(self._refusals, self.pace.refusals, error)
        else:
            self._failures += 1
            self._stop_after(self._failures, self.pace.failures, error)

    def _stop_after(self, count: int, limit: int, error: ProviderError) -> None:
        if count >= limit:
            self.broken = error

    def _pause(self, error: ThrottledError) -> None:
        if time.monotonic() < self._paused_until:
            # Requests that were under way together meet the same used-up quota: one pause for all of them.
            return
        self._pauses += 1
        self._stop_after(self._pauses, self.pace.quota_pauses, error)
        wish = error.retry_after_s
        seconds = self.back_off_s(self._pauses) if wish is None else min(wish, self.pace.longest_pause_s)
        self._paused_until = time.monotonic() + seconds

    def back_off_s(self, attempt: int) -> float:
        """Return a full-jitter pause: uniform between 0 and a bound that doubles with each attempt from 1 on."""
        bound = min(self.pace.longest_pause_s, self.pace.first_pause_s * 2.0**attempt)
        return float(self._rng.uniform(0, bound))
