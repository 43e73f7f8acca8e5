"""Claims, caps and group commits, with real files."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from geolocate.collection import ledger_schema
from geolocate.collection.entries import Caps, Charge, ImageKey, ImageRow, Settlement, Totals
from geolocate.collection.ledger import Ledger
from geolocate.collection.writer import LedgerWriter
from geolocate.errors import StorageError
from geolocate.records import View

PRICE = 7000


def key(name: str = "pano", world: str = "emulated") -> ImageKey:
    return ImageKey(world, "google", name, View(0.0))


def reserve(ledger, collection="c", of=None, caps=None):
    with ledger.transaction():
        return ledger.reserve(collection, of or key(), PRICE, caps or Caps())


def test_a_living_sessions_claim_holds_and_a_dead_ones_does_not(tmp_path):
    path = tmp_path / "store" / "ledger.sqlite"
    with Ledger(path) as mine:
        with Ledger(path) as other:
            assert isinstance(reserve(other), Charge)
            held = reserve(mine, "d")
            assert isinstance(held, ImageRow)
            assert held.state == "intended"
        assert isinstance(reserve(mine, "d"), Charge)


def test_a_killed_processs_claim_is_free_at_once(tmp_path):
    path = tmp_path / "store" / "ledger.sqlite"
    script = (
        "import os, pathlib, sys\n"
        "from tests.collection.test_ledger import Ledger, reserve\n"
        "reserve(Ledger(pathlib.Path(sys.argv[1])))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    with Ledger(path) as mine:
        assert mine.unsettled("c") == 1
        assert isinstance(reserve(mine, "c"), Charge)
        assert mine.totals("c") == Totals(0, 2, 2 * PRICE, 0)


def test_what_was_not_billed_goes_back_to_the_budget(tmp_path):
    caps = Caps(micro_usd=PRICE)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        charge = reserve(ledger, caps=caps)
        assert reserve(ledger, of=key("another"), caps=caps) is None
        with ledger.transaction():
            ledger.settle(charge, Settlement("open", billed=False))
        assert isinstance(reserve(ledger, of=key("another"), caps=caps), Charge)


def test_worlds_do_not_stand_in_for_each_other(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        charge = reserve(ledger)
        with ledger.transaction():
            ledger.settle(charge, Settlement("kept", sha256="0" * 64, bytes=1))
        assert reserve(ledger).sha256 == "0" * 64
        assert isinstance(reserve(ledger, of=key(world="real")), Charge)


def test_a_newer_ledger_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger, ledger.transaction():
        ledger._db.execute("PRAGMA user_version = 9")
    with pytest.raises(StorageError, match="version 9"):
        Ledger(path)


def test_many_operations_share_a_commit_and_a_failing_one_tells_all(tmp_path):
    async def run(ledger):
        async with LedgerWriter(ledger) as writer:
            await asyncio.gather(*(writer.do(lambda book: book.count_metadata("c")) for _ in range(200)))
            before = ledger.totals("c").metadata_requests
            broken = [writer.do(lambda book: book.count_metadata("c")), writer.do(lambda book: book.no_such_thing())]
            results = await asyncio.gather(*broken, return_exceptions=True)
            return before, results

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        before, results = asyncio.run(run(ledger))
        assert before == 200
        assert [type(result) for result in results] == [AttributeError, AttributeError]
        assert ledger.totals("c").metadata_requests == 200


def test_many_processes_may_open_a_new_ledger_at_once(tmp_path):
    script = (
        "import pathlib, sys\n"
        "from geolocate.collection.ledger import Ledger\n"
        "for number in range(30):\n"
        "    Ledger(pathlib.Path(sys.argv[1]) / str(number) / 'ledger.sqlite').close()\n"
    )
    openers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(4)]
    assert [opener.wait(timeout=120) for opener in openers] == [0, 0, 0, 0]


def test_one_session_does_not_buy_a_picture_twice_either(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        charge = reserve(ledger, "c")
        held = reserve(ledger, "d")
        assert isinstance(held, ImageRow)
        assert held.state == "intended"
        with ledger.transaction():
            ledger.settle(charge, Settlement("open"))
        assert isinstance(reserve(ledger, "d"), Charge)
        assert ledger.totals("c") == ledger.totals("d") == Totals(0, 1, PRICE, 0)


def test_what_a_failed_transaction_counted_is_not_counted(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:

        def count_and_fail() -> None:
            with ledger.transaction():
                ledger.count_metadata("c")
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            count_and_fail()
        assert ledger.totals("c") == Totals()
        with ledger.transaction():
            ledger.count_metadata("c")
        assert ledger.totals("c") == Totals(1, 0, 0, 0)


def test_a_ledger_of_the_first_version_goes_on(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript(ledger_schema._FIRST + "PRAGMA user_version = 1")
        old.execute(
            "INSERT INTO images VALUES ('emulated', ?, 'google', 'pano', 0, 0, 90, 640, 640, 'kept', NULL, NULL, ?, 1, "
            "NULL, '2026-01-01T00:00:00Z')",
            (key().image_id, "0" * 64),
        )
        old.execute("INSERT INTO totals VALUES ('c', 0, 1, ?, 1)", (PRICE,))
    with Ledger(path) as ledger:
        assert reserve(ledger).sha256 == "0" * 64
        assert ledger.totals("c") == Totals(0, 1, PRICE, 1)
        charge = reserve(ledger, of=key("another"))
        with ledger.transaction():
            ledger.settle(charge, Settlement("open", http_status=200))
            assert [ledger.spend_today("tiles", 1), ledger.spend_today("tiles", 1)] == [True, False]
        assert isinstance(reserve(ledger, of=key("another")), Charge)


def test_many_pictures_are_looked_up_by_their_key_and_not_by_reading_all(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        keys = [key(f"pano-{number}", world) for number in range(300) for world in ("emulated", "real")]
        for wanted in keys[::7]:
            reserve(ledger, of=wanted)
        read = []
        ledger._db.set_trace_callback(read.append)
        rows = ledger.images(keys)
        ledger._db.set_trace_callback(None)
        assert [row is not None for row in rows] == [place % 7 == 0 for place in range(len(keys))]
        plans = [ledger._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchone()["detail"] for query in read]
        assert plans
        assert all(plan.startswith("SEARCH") for plan in plans)
