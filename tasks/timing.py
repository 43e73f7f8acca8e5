"""How much of a run's time is the library's own, and how much the orchestrator's."""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class LibraryClock:
    """The intervals during which the library worked, in seconds of a monotonic clock.

    One flow run has its process to itself, so one clock serves all of its tasks, whatever thread they run in.
    """

    started: float = field(default_factory=time.perf_counter)
    intervals: list[tuple[float, float]] = field(default_factory=list)
    reporting_seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def restart(self) -> None:
        """Forget what was measured; called as the first line of a flow."""
        with self.lock:
            self.started = time.perf_counter()
            self.intervals.clear()
            self.reporting_seconds = 0.0

    def measures(self, call: Callable[P, R]) -> Callable[P, R]:
        """Wrap a call so that the time it takes counts as the library's."""

        @functools.wraps(call)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            begin = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                with self.lock:
                    self.intervals.append((begin, time.perf_counter()))

        return timed

    @contextmanager
    def reports(self) -> Iterator[None]:
        """Count a block as the orchestrator's, though it runs within a measured call: it tells the server something."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            with self.lock:
                self.reporting_seconds += time.perf_counter() - begin

    def orchestration_share(self) -> float:
        """One minus library time over wall time; overlapping intervals count once, reporting does not count."""
        with self.lock:
            intervals, reporting = sorted(self.intervals), self.reporting_seconds
        if not intervals:
            return 0.0
        wall = max(end for _, end in intervals) - self.started
        return 1.0 - max(0.0, _covered(intervals) - reporting) / wall


def _covered(intervals: list[tuple[float, float]]) -> float:
    """Length of the union of sorted intervals."""
    total, reached = 0.0, float("-inf")
    for begin, end in intervals:
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


CLOCK = LibraryClock()
