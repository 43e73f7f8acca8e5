"""Show a collection at work: how far, how fast, what it has cost so far, and whether it pauses.

In: the data root and the collection's name. Out: a callable that the collection tells its progress. Everything goes to
standard error, so that standard output holds the result only: bars where that is a terminal, a line now and then where
it is not, so that a log of days can be read.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from geolocate.storage import DataRoot

if TYPE_CHECKING:
    from geolocate.collection.collect import PhaseProgress
    from geolocate.collection.entries import Totals

PHASES = {"find": "finding panoramas", "fetch": "fetching pictures"}
#: How often the ledger is looked at, and how often a line is written where there is no terminal, in seconds.
LOOK_S, LINE_S = 1.0, 30.0
#: Rates are those of the last so many looks; nothing new in so many seconds is a pause.
_LOOKS = 10
_PAUSE_S = 5.0


@dataclass
class Pulse:
    """What the ledger said at the last few looks."""

    looks: deque[tuple[float, "Totals"]] = field(default_factory=lambda: deque(maxlen=_LOOKS))
    changed: float = field(default_factory=time.monotonic)

    def beat(self, totals: "Totals", moment: float) -> None:
        """Remember a look at the ledger."""
        if not self.looks or self.looks[-1][1] != totals:
            self.changed = moment
        self.looks.append((moment, totals))

    def text(self) -> str:
        """Say how fast, how much money, and how long nothing has come."""
        if not self.looks:
            return ""
        (start, before), (end, now) = self.looks[0], self.looks[-1]
        span = max(end - start, 1e-9)
        rate = (now.metadata_requests + now.image_requests - before.metadata_requests - before.image_requests) / span
        images = (now.image_requests - before.image_requests) / span
        said = f"{images:,.0f} images/s" if now.image_requests else f"{rate:,.0f} requests/s"
        said += f", {now.image_requests:,} images asked for, ${now.micro_usd / 1e6:,.2f}"
        quiet = end - self.changed
        return said + (f", nothing new for {quiet:,.0f} s" if quiet >= _PAUSE_S else "")


@contextmanager
def shown_progress(root: DataRoot, name: str) -> "Iterator[PhaseProgress]":
    """Show the collection's progress for as long as the block lasts."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[pulse]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        board = _Board(bars, lines=not console.is_terminal)
        with _looking(root, name, board):
            yield board.tell


class _Board:
    """The bars, or the lines in their stead."""

    def __init__(self, bars: Progress, *, lines: bool) -> None:
        self.pulse = Pulse()
        self._bars = bars
        self._lines = lines
        self._tasks: dict[str, Any] = {}
        self._now: tuple[str, int, int] | None = None
        self._line_at = time.monotonic() + LINE_S

    def tell(self, phase: str, done: int, total: int) -> None:
        """Take what the collection tells."""
        self._now = phase, done, total
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(PHASES[phase], total=total, pulse="")
        self._bars.update(self._tasks[phase], completed=done, total=total)

    def look(self, totals: "Totals") -> None:
        """Take what the ledger says."""
        moment = time.monotonic()
        self.pulse.beat(totals, moment)
        if self._now is None:
            return
        phase, done, total = self._now
        self._bars.update(self._tasks[phase], pulse=self.pulse.text())
        if self._lines and moment >= self._line_at:
            self._line_at = moment + LINE_S
            typer.echo(f"{PHASES[phase]}: {done / max(total, 1):.0%}; {self.pulse.text()}", err=True)


@contextmanager
def _looking(root: DataRoot, name: str, board: _Board) -> Iterator[None]:
    """Look at the ledger every second, on a thread of its own: a pause is when the collection tells nothing."""
    over = threading.Event()

    def look() -> None:
        from geolocate.collection.watching import totals_so_far

        while not over.wait(LOOK_S):
            board.look(totals_so_far(root.ledger, name))

    thread = threading.Thread(target=look, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
