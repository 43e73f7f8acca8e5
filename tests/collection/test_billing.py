"""What the ledger counts as paid, beside the bill of whoever answered."""

import sqlite3
from contextlib import closing

import pytest
from aiohttp import web

from geolocate.collection import collect, validate_collection
from geolocate.collection.entries import Bill
from geolocate.errors import CollectionError
from tests.collection.stand_in import plan_of

PRICE = 7_000


@pytest.fixture
def troubled(server):
    """A server whose answers fail in turn: not there (billed), not now (not billed), cut in the middle (billed)."""
    turn = iter(range(1_000_000))

    def answer(request):
        number = next(turn)
        if number % 7 == 3:
            return web.Response(status=404)
        if number % 7 == 5:
            return web.Response(status=500)
        return web.Response(body=b"<html>busy</html>", content_type="text/html") if number % 11 == 4 else None

    server.on_image = answer
    return server


def test_the_bill_of_a_troubled_server_is_the_ledgers(root, troubled, request_for):
    plan = plan_of(12)
    summary = collect(root, request_for(), plan)
    report = validate_collection(root, "c", against=troubled.url)
    assert report.ok, report.problems
    assert report.billed == troubled.billed == report.bill.answered
    assert report.bill == Bill(troubled.billed, 0, troubled.billed * PRICE)
    assert summary.price_usd == troubled.billed * PRICE / 1e6
    troubled.on_image = lambda request: None
    asked = len(troubled.images)
    again = collect(root, request_for(), plan)
    # What was answered with 404 was paid for, and is not asked again; what was no picture is.
    assert again.reasons == {"not_found": summary.reasons["not_found"]}
    assert len(troubled.images) - asked == again.run_image_requests == again.images - summary.images
    assert validate_collection(root, "c", against=troubled.url).ok


def test_a_bill_that_is_not_ours_is_told(root, server, request_for):
    collect(root, request_for(), plan_of(4))
    server.billed += 1
    problems = validate_collection(root, "c", against=server.url).problems
    assert problems[0].startswith("the emulator has billed 13 requests, the ledger 12")


def test_of_a_request_under_way_at_a_kill_either_is_believed(root, server, request_for):
    collect(root, request_for(), plan_of(4))
    with closing(sqlite3.connect(root.ledger)) as ledger, ledger:
        ledger.execute(
            "INSERT INTO charges (collection, world, image_id, micro_usd, state, intended_at) "
            "SELECT 'killed', world, 'x', micro_usd, 'intended', intended_at FROM charges LIMIT 1"
        )
    assert validate_collection(root, "c", against=server.url).ok
    server.billed += 1
    assert validate_collection(root, "c", against=server.url).ok
    server.billed += 1
    assert validate_collection(root, "c", against=server.url).problems == (
        "the emulator has billed 14 requests, the ledger 12 to 13: this holds where the emulator was started for this "
        "data root, and was asked by nobody else since",
    )


def test_totals_that_are_not_the_sum_of_their_requests_are_told(root, request_for):
    collect(root, request_for(), plan_of(4))
    with closing(sqlite3.connect(root.ledger)) as ledger, ledger:
        ledger.execute("UPDATE totals SET micro_usd = micro_usd - 7000")
    assert validate_collection(root, "c").problems == (
        "the ledger's totals are 12 requests for $0.077, its single requests 12 for $0.084",
    )


def test_nobody_at_the_address_is_one_line(root, request_for):
    collect(root, request_for(), plan_of(2))
    with pytest.raises(CollectionError, match=r"no emulator answers at http://127.0.0.1:9/counters"):
        validate_collection(root, "c", against="http://127.0.0.1:9")
