"""What a run costs when answers are bad: little, and never more with every rerun."""

import hashlib

import pytest
from aiohttp import web

from geolocate.collection import Pace, collect, validate_collection
from geolocate.collection.forgetting import forget
from geolocate.collection.ledger import Ledger
from geolocate.errors import GeolocateError, ProviderError
from geolocate.records import View
from tests.collection.stand_in import flat_jpeg, plan_of, street

FAST = Pace(per_second=5000, first_pause_s=0.001, longest_pause_s=0.01, quota_pauses=5)


def page(_):
    return web.Response(text="<!doctype html>Sign in", content_type="text/html")


def text_picture(_):
    return web.Response(body=flat_jpeg((40, 60, 90)), content_type="image/jpeg")


@pytest.mark.parametrize("answer", [page, text_picture])
def test_answers_that_are_paid_for_and_no_pictures_stop_a_run_after_a_handful(root, server, request_for, answer):
    server.on_image = answer
    with pytest.raises(ProviderError, match=r"8 answers in a row were no pictures .* billing"):
        collect(root, request_for(pace=FAST), plan_of(40))
    assert len(server.images) == 8


def test_one_bad_picture_is_paid_for_only_so_often_over_all_runs(root, server, request_for):
    bad = []

    def answer(request):
        bad[:] = bad or [request.query["pano"]]
        return text_picture(request) if request.query["pano"] == bad[0] else None

    server.on_image = answer
    counts = []
    for _ in range(6):
        before = len(server.images)
        collect(root, request_for(pace=FAST), plan_of(10))
        counts.append(len(server.images) - before)
    # Three views of it: twice each in each of four runs, then never again.
    assert counts == [27 + 6, 6, 6, 6, 0, 0]
    assert validate_collection(root, "c").ok


def test_a_picture_that_is_always_throttled_does_not_hold_up_the_run_for_ever(root, server, request_for):
    first = []

    def answer(request):
        first[:] = first or [request.raw_path]
        return web.Response(status=429, headers={"Retry-After": "0"}) if request.raw_path == first[0] else None

    server.on_image = answer
    summary = collect(root, request_for(pace=FAST), plan_of(10))
    assert summary.statuses == {"complete": 9, "partial": 1}
    assert summary.reasons == {"unreachable": 1}


def test_a_reached_cap_is_not_learnt_anew_for_each_picture(root, server, request_for, monkeypatch):
    collect(root, request_for(max_images=9), plan_of(100))
    asked = []
    reserve = Ledger.reserve
    monkeypatch.setattr(Ledger, "reserve", lambda *words: asked.append(1) or reserve(*words))
    again = collect(root, request_for(max_images=9), plan_of(100))
    assert (again.run_image_requests, len(server.images)) == (0, 9)
    assert len(asked) <= 64


def test_a_gateways_error_counts_as_paid(root, server, request_for):
    server.on_image = lambda _: web.Response(status=502)
    collect(root, request_for(pace=FAST, max_images=5), plan_of(10))
    assert len(server.images) == 5


def test_an_odd_answer_costs_that_point_alone(root, server, request_for):
    first = []

    def answer(request):
        first[:] = first or [request.query["location"]]
        deep = "[" * 100_000
        return web.Response(text=deep) if request.query["location"] == first[0] else None

    server.on_metadata = answer
    assert collect(root, request_for(pace=FAST), plan_of(10)).statuses == {"complete": 9, "failed": 1}


def test_an_error_lets_what_is_on_its_way_arrive(root, server, request_for):
    pictures = [hashlib.sha256(street(64, seed)).hexdigest() for seed in range(64)]
    in_the_way = root.path / "store" / "images" / pictures[0][:2]
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where a folder is needed")
    server.delay_s = 0.1
    with pytest.raises(GeolocateError, match="cannot write"):
        collect(root, request_for(), plan_of(60))
    with Ledger(root.ledger) as ledger:
        # The group that could not be written, and no more: those under way were waited for.
        lost, sent = ledger.unsettled("c"), len(server.images)
    assert 0 < lost < 32
    assert sent > lost
    in_the_way.unlink()
    assert collect(root, request_for(), plan_of(60)).statuses == {"complete": 60}
    assert len(server.images) == 180 + lost


def test_a_picture_forgotten_on_its_way_does_not_stay(root, server, request_for):
    plan = plan_of(1)
    collect(root, request_for("before"), plan)
    name = server.images[0]["pano"]
    request = request_for(views=(View(45.0, width=64, height=64),))

    def answer(_):
        forget(root, [name])

    server.on_image = answer
    collect(root, request, plan)
    assert not list(root.path.glob("store/images/*/*.jpg"))
