"""Budget and ledger under processes that are killed: no cap is exceeded, no picture is bought twice."""

import multiprocessing
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from geolocate.collection.entries import Caps
from geolocate.collection.ledger import Ledger
from tests.collection.buyer import PRICE, Errand, buy

COLLECTIONS = ("a", "b")
SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["tests.collection.buyer"])


def start(errand: Errand) -> ForkServerProcess:
    process = SPAWN.Process(target=buy, args=(errand,), daemon=True)
    process.start()
    return process


def check(folder: Path, caps: Caps) -> tuple[int, int]:
    """Hold the ledger against the provider's bill; return how many charges are unsettled, and the pictures kept."""
    bill = folder / "bill"
    sent = [line.split() for line in bill.read_text().splitlines()] if bill.exists() else []
    charges, images, totals = _snapshot(folder)
    states = {charge[0]: charge[3] for charge in charges}
    # Intent before the request: nothing on the provider's bill that the ledger does not know, and nothing twice.
    assert {int(line[2]) for line in sent} <= set(states)
    assert len({line[2] for line in sent}) == len(sent)
    for name in COLLECTIONS:
        counted = [price for _, whose, _, state, price, _ in charges if whose == name and state != "free"]
        assert totals.get(name, (0, 0)) == (len(counted), sum(counted))
        assert caps.images is None or len(counted) <= caps.images
        assert caps.micro_usd is None or sum(counted) <= caps.micro_usd
        billable = sum(1 for whose, _, charge in sent if whose == name and states[int(charge)] != "free")
        assert billable * PRICE <= sum(counted)
    # A picture whose fate is known was asked for last when it became known: its last charge is the one that settled it.
    last = {image: state for _, _, image, state, _, _ in charges}
    assert all(last[image] == "billed" for image, state in images if state in ("kept", "rejected"))
    # Only one of its charges can have made it known: no two processes were on their way for it at once.
    known = Counter(image for _, _, image, _, _, status in charges if status in (200, 404))
    assert set(known.values()) <= {1}
    unsettled = sum(state == "intended" for state in states.values())
    return unsettled, sum(state == "kept" for _, state in images)


def _snapshot(folder: Path):
    """Read everything at one instant, while others write."""
    with Ledger(folder / "ledger.sqlite"), closing(sqlite3.connect(folder / "ledger.sqlite")) as database:
        database.execute("BEGIN")
        return (
            database.execute(
                "SELECT charge_id, collection, image_id, state, micro_usd, http_status FROM charges"
            ).fetchall(),
            database.execute("SELECT image_id, state FROM images").fetchall(),
            {row[0]: row[1:] for row in database.execute("SELECT collection, image_requests, micro_usd FROM totals")},
        )


@pytest.mark.parametrize("reach", ["many kills", "few kills"])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), most=st.none() | st.integers(0, 40), cents=st.none() | st.integers(0, 28))
def test_caps_hold_and_nothing_is_bought_twice_whoever_is_killed(reach, seed, most, cents):
    note(f"seed {seed}")
    rng = np.random.default_rng(seed)
    caps = Caps(None if cents is None else cents * 10_000, most)
    chance = 0.05 if reach == "many kills" else 0.005
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def errand(collection: str, killed: float) -> Errand:
            return Errand(folder, collection, 24, caps, int(rng.integers(2**32)), killed)

        started: list[ForkServerProcess] = []
        for _ in range(2):
            crew = [start(errand(collection, chance)) for collection in ("a", "a", "b")]
            time.sleep(rng.uniform(0, 0.15))
            crew[0].kill()
            try:
                assert check(folder, caps)[0] <= len(started) + len(crew)
            finally:
                for process in crew:
                    process.join(60)
            started += crew
            killed = sum(process.exitcode == -signal.SIGKILL for process in started)
            # A process has one request under way: so many may have to be sent again, and no more.
            assert check(folder, caps)[0] <= killed
        last = [start(errand(collection, 0.0)) for collection in COLLECTIONS]
        for process in last:
            process.join(60)
            assert process.exitcode == 0
        unsettled, _ = check(folder, caps)
        assert unsettled <= killed
        if caps == Caps():
            _nothing_is_asked_again(folder)


def _nothing_is_asked_again(folder: Path) -> None:
    """All are there or will never be: another run, of whichever collection, sends nothing."""
    before = (folder / "bill").read_bytes()
    again = start(Errand(folder, "c", 24, Caps(), 1))
    again.join(60)
    assert again.exitcode == 0
    assert (folder / "bill").read_bytes() == before
    sent = Counter(line.split()[1] for line in before.decode().splitlines())
    assert len(sent) == 24
