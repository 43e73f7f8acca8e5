"""How fast requests leave, and what happens after a bad answer.

In: a rate, a seed, and what the processes of this machine share. Out: the moment at which a request may leave; a pause
of everybody after a used-up quota; the end of everything after a handful of refusals.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from geolocate.collection.shared_pace import SharedPace, Turn
from geolocate.errors import ProviderError
from geolocate.providers.protocol import RefusedError, ThrottledError
from geolocate.records import ImageReason

#: So many requests may leave at once after a lull.
BURST = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard a provider is asked.

    ``per_second`` None means as fast as the provider's terms allow, see Provider.requests_per_second; it is shared by
    all processes of the data root. ``source``, where given, is awaited before each request, and returns once a turn
    is granted: with it several machines share one rate. A provider's Retry-After is honoured up to ``longest_pause_s``:
    hours have been seen.
    """

    per_second: float | None = None
    source: Callable[[], Awaitable[None]] | None = None
    attempts: int = 5
    #: A picture that was paid for and is none is asked for once more; after that, only by another run.
    paid_attempts: int = 2
    first_pause_s: float = 0.25
    longest_pause_s: float = 60.0
    #: After so many refusals, failures or pauses without a proper answer in between, everything stops. Quota answers
    #: do not count as attempts, for everybody waits; but not for ever.
    refusals: int = 4
    failures: int = 100
    #: So many answers in a row that are paid for and no pictures: an error message drawn as one, a web page.
    useless: int = 8
    quota_pauses: int = 12


#: Answers that look like an account in trouble, rather than like a bad line.
_USELESS = (ImageReason.ERROR_PICTURE, ImageReason.HTML)


class StoppedError(ProviderError):
    """Too many bad answers, or the day's quota: no further request of this run will leave."""


class Throttle:
    """Turns, pauses and a circuit breaker for all requests of a phase; all but failures are shared by all processes.

    Until the first proper answer only one request is under way at a time, so that a wrong key costs a handful of
    requests and not one for every connection.
    """

    def __init__(self, pace: Pace, rng: np.random.Generator, shared: SharedPace, per_second: float) -> None:
        self.pace = pace
        self.broken: ProviderError | None = None
        self._rng = rng
        self._shared = shared
        self._per_second = pace.per_second or per_second
        self._proved = self._troubled = False
        self._probe = asyncio.Lock()
        self._failures = self._useless = 0
        self._granting = asyncio.Lock()

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
        if self.pace.source is not None:
            async with self._granting:
                await self.pace.source()
        while True:
            turn = self._looked_at(self._shared.turn(self._per_second, BURST))
            if turn.wait_s:
                await asyncio.sleep(turn.wait_s)
                turn = self._looked_at(self._shared.held())
            if not turn.pause_s:
                return
            # Leaving a pause in step would be the next burst.
            await asyncio.sleep(turn.pause_s + self._rng.uniform(0, self.pace.first_pause_s))

    def _looked_at(self, turn: Turn) -> Turn:
        self._troubled |= turn.troubled
        if turn.ended and self.broken is None:
            self.broken = RefusedError(turn.ended) if turn.refused else StoppedError(turn.ended)
        self._check()
        return turn

    def _check(self) -> None:
        if self.broken is not None:
            raise StoppedError(str(self.broken))

    def answered(self) -> None:
        """Tell that a request was answered properly."""
        self._proved = True
        self._failures = self._useless = 0
        if self._troubled:
            self._troubled = False
            self._shared.answered()

    def failed(self, error: ProviderError) -> None:
        """Count an answer that was none, and act on its kind: pause everybody, or stop everything."""
        if isinstance(error, ThrottledError):
            self._pause(error)
        elif isinstance(error, RefusedError):
            self._shared.refused(self.pace.refusals, str(error))
            self._notice(error)
        else:
            self._failures += 1
            if self._failures >= self.pace.failures:
                self.stop(error)

    def useless(self, reason: ImageReason) -> None:
        """Count an answer that is no picture; a revoked key or a used-up quota may come as a picture that says so."""
        self._failures += 1
        self._useless += reason in _USELESS
        if self._useless >= self.pace.useless or self._failures >= self.pace.failures:
            self.stop(
                ProviderError(
                    f"{max(self._useless, self._failures)} answers in a row were no pictures (the last: {reason}): see "
                    "that the key, its billing and its quota are in order, then run the same command again"
                )
            )

    def stop(self, error: ProviderError) -> None:
        """Let no further request leave."""
        self.broken = self.broken or error

    def _pause(self, error: ThrottledError) -> None:
        wish = error.retry_after_s
        seconds = min(wish, self.pace.longest_pause_s) if wish is not None else self.back_off_s(self._shared.pauses + 1)
        self._shared.pause(seconds, self.pace.quota_pauses, str(error))
        self._notice(error)

    def _notice(self, error: ProviderError) -> None:
        """Stop with one's own error where this was the last straw, rather than with what stands in the file."""
        self._troubled = True
        if self._shared.held().ended:
            self.stop(error)

    def back_off_s(self, attempt: int) -> float:
        """Return a full-jitter pause: uniform between 0 and a bound that doubles with each attempt from 1 on."""
        bound = min(self.pace.longest_pause_s, self.pace.first_pause_s * 2.0**attempt)
        return float(self._rng.uniform(0, bound))
