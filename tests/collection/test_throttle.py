"""How fast requests leave, and what stops them."""

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolocate.collection.shared_pace import SharedPace
from geolocate.collection.throttle import Pace, StoppedError, Throttle
from geolocate.providers import RefusedError, ThrottledError, UnreachableError


@pytest.fixture
def throttle(tmp_path):
    def make(**pace) -> Throttle:
        return Throttle(Pace(**pace), np.random.default_rng(0), SharedPace(tmp_path / "pace", "fetch"), 400.0)

    return make


async def _send(gate: Throttle, count: int) -> list[float]:
    moments = []

    async def one():
        async with gate.slot():
            moments.append(time.monotonic())
            gate.answered()

    await asyncio.gather(*(one() for _ in range(count)))
    return moments


def test_the_rate_is_kept(throttle):
    started = time.monotonic()
    asyncio.run(_send(throttle(per_second=200), 60))
    assert time.monotonic() - started >= (60 - 10) / 200


def test_one_request_at_a_time_until_the_first_answer(throttle):
    async def run():
        gate = throttle(per_second=10_000)
        inside = most = 0

        async def one():
            nonlocal inside, most
            async with gate.slot():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1

        await asyncio.gather(*(one() for _ in range(10)))
        return most

    assert asyncio.run(run()) == 1


def test_a_retry_after_of_hours_is_capped_and_one_pause_serves_all(throttle):
    async def run():
        gate = throttle(longest_pause_s=0.2, first_pause_s=0.01)
        await _send(gate, 1)
        for _ in range(50):
            gate.failed(ThrottledError("quota", retry_after_s=36_000))
        started = time.monotonic()
        await _send(gate, 5)
        return time.monotonic() - started, gate.broken

    seconds, broken = asyncio.run(run())
    assert 0.19 <= seconds < 5
    assert broken is None


@pytest.mark.parametrize(("error", "limit"), [(RefusedError("no"), "refusals"), (UnreachableError("no"), "failures")])
def test_a_handful_in_a_row_stops_everything(throttle, error, limit):
    async def run():
        gate = throttle(**{limit: 3})
        for _ in range(2):
            gate.failed(error)
        gate.answered()
        for _ in range(2):
            gate.failed(error)
        await _send(gate, 1)
        for _ in range(3):
            gate.failed(error)
        await _send(gate, 1)

    with pytest.raises(StoppedError, match="no"):
        asyncio.run(run())


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_pauses_are_jittered_and_bounded(attempt, seed):
    pace = Pace()
    with tempfile.TemporaryDirectory() as folder, SharedPace(Path(folder) / "pace", "fetch") as shared:
        seconds = Throttle(pace, np.random.default_rng(seed), shared, 400.0).back_off_s(attempt)
    assert 0 <= seconds <= min(pace.longest_pause_s, pace.first_pause_s * 2.0**attempt)


def test_each_request_takes_one_turn_from_elsewhere(throttle):
    asked = []

    async def source() -> None:
        asked.append(1)
        await asyncio.sleep(0)

    asyncio.run(_send(throttle(per_second=500, source=source), 40))
    assert len(asked) == 40


def test_nothing_leaves_before_the_turns_are_granted(throttle):
    async def run():
        granted = asyncio.Event()

        async def source() -> None:
            await granted.wait()

        gate = throttle(source=source)
        sending = asyncio.create_task(_send(gate, 3))
        await asyncio.sleep(0.05)
        waiting = not sending.done()
        granted.set()
        await sending
        return waiting

    assert asyncio.run(run())
