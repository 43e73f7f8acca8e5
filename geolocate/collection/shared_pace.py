"""What all processes that ask one provider know together: whose turn is next, until when all pause, who was refused.

In: a file under the data root. Out: turns, pauses and an end, the same for every process of this machine. Each change
is one read and one write of some hundred bytes under a lock that the system drops with its holder, so that a killed
process holds up nobody. Moments are those of the system's monotonic clock, which all processes share and nobody sets.
"""

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Self

_LAYOUT = struct.Struct("<dddqqqq400s")
#: An account may be good for metadata and not for pictures: an answer to the one does not excuse refusals of the other.
PHASES = ("find", "fetch")
#: After a reboot the clock begins anew: a moment further ahead than this was written before it.
_FURTHEST_S = 3600.0
#: No count reaches this; one that does is not what was written.
_MOST = 1_000_000


@dataclass(slots=True)
class State:
    """What stands in the file; moments in seconds of the monotonic clock."""

    next_turn: float = 0.0
    paused_until: float = 0.0
    ended_at: float = 0.0
    find_refusals: int = 0
    fetch_refusals: int = 0
    refused: int = 0
    pauses: int = 0
    reason: bytes = b""


#: astuple copies each value, which takes longer than all the rest.
_values = attrgetter(*(field.name for field in fields(State)))


@dataclass(frozen=True, slots=True)
class Turn:
    """How long to wait for one's turn; or how long everybody pauses; or why everything has ended.

    ``refused`` tells an end by refusals from one by a used-up quota; ``troubled`` says that there were refusals or
    pauses since the last proper answer.
    """

    wait_s: float = 0.0
    pause_s: float = 0.0
    ended: str = ""
    refused: bool = False
    troubled: bool = False


class SharedPace:
    """One process's hold of the file, for one of the ``PHASES``; what ended before it took hold does not concern it."""

    def __init__(self, path: Path, phase: str) -> None:
        self._refusals = f"{phase}_refusals"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def turn(self, per_second: float, burst: int) -> Turn:
        """Take the next turn; none is taken while everybody pauses, or after the end.

        After a lull ``burst`` requests may leave at once, no more: quotas are counted over short windows too.
        """
        with self._changed() as state:
            now = time.monotonic()
            held = self._held(state, now)
            if held.ended or held.pause_s:
                return held
            state.next_turn = max(state.next_turn, now - burst / per_second) + 1 / per_second
            return Turn(wait_s=max(0.0, state.next_turn - now), troubled=held.troubled)

    def held(self) -> Turn:
        """Look whether everybody pauses or has ended, without taking a turn."""
        return self._held(self._read(), time.monotonic())

    def pause(self, seconds: float, most: int, reason: str) -> None:
        """Let everybody pause; the ``most``-th pause without a proper answer in between is the end.

        Requests that were under way together meet the same used-up quota: one pause serves them all.
        """
        with self._changed() as state:
            now = time.monotonic()
            if now < state.paused_until:
                return
            state.pauses += 1
            state.paused_until = now + seconds
            if state.pauses >= most:
                _end(state, now, reason)

    @property
    def pauses(self) -> int:
        """How many pauses there were since the last proper answer."""
        return self._read().pauses

    def refused(self, most: int, reason: str) -> None:
        """Count a refusal; the ``most``-th without a proper answer in between is the end for everybody."""
        with self._changed() as state:
            count = getattr(state, self._refusals) + 1
            setattr(state, self._refusals, count)
            if count >= most:
                _end(state, time.monotonic(), reason, refused=True)

    def answered(self) -> None:
        """Tell that somebody was answered properly."""
        with self._changed() as state:
            setattr(state, self._refusals, 0)
            state.pauses = 0

    def _held(self, state: State, now: float) -> Turn:
        troubled = bool(getattr(state, self._refusals) or state.pauses)
        if state.ended_at > self._since:
            return Turn(ended=state.reason.decode("utf-8", "ignore"), refused=bool(state.refused), troubled=troubled)
        return Turn(pause_s=max(0.0, state.paused_until - now), troubled=troubled)

    @contextmanager
    def _changed(self) -> Iterator[State]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            state = self._read()
            yield state
            os.pwrite(self._file, _LAYOUT.pack(*_values(state)), 0)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _read(self) -> State:
        body = os.pread(self._file, _LAYOUT.size, 0)
        if len(body) != _LAYOUT.size:
            return State()
        state = State(*_LAYOUT.unpack(body))
        state.reason = state.reason.rstrip(b"\0")
        return state if _is_sound(state) else State()


def _is_sound(state: State) -> bool:
    """Whether it was written since the last start of the machine, and whole."""
    furthest = time.monotonic() + _FURTHEST_S
    # Written so that "not a number" is not sound either; spelt out, for it is asked at each request.
    return (
        state.next_turn < furthest
        and state.paused_until < furthest
        and state.ended_at < furthest
        and 0 <= state.find_refusals < _MOST
        and 0 <= state.fetch_refusals < _MOST
        and 0 <= state.refused < _MOST
        and 0 <= state.pauses < _MOST
    )


def _end(state: State, now: float, reason: str, *, refused: bool = False) -> None:
    # Who begins anew may pause as often again; but refusals stay until the first proper answer, so that each of the
    # many processes of a run that has been refused finds out by one request.
    state.pauses = 0
    state.ended_at = now
    state.refused = int(refused)
    state.reason = reason.encode()[:400]
