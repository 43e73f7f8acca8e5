"""What a plan would take: nothing is counted that the ledger has, and what is expected is what then comes."""

import json
from dataclasses import replace

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from geolocate.collection import collect
from geolocate.collection.estimate import estimate
from geolocate.collection.hit_rate import ASSUMED
from geolocate.collection.pricing import discounted_usd
from geolocate.settings import Settings
from tests.collection.conftest import VIEWS
from tests.collection.stand_in import plan_of


def test_an_unknown_ground_is_assumed_and_said_so(root, request_for):
    plan = plan_of(40, draws=2)
    expected = estimate(plan, root, request_for().settings, "uk", VIEWS)
    assert expected.hit_share == ASSUMED
    assert "assumed" in expected.hit_basis
    assert expected.panoramas_expected == 30  # three of four points, by two draws at one half each
    assert expected.panoramas_at_most == 40
    assert expected.metadata_requests_expected == 60
    assert expected.metadata_requests_at_most == 80
    assert (expected.image_requests_expected, expected.image_requests_at_most) == (90, 120)
    assert expected.price_usd_at_list == pytest.approx(0.63)
    assert expected.price_usd_at_most == pytest.approx(0.84)
    assert expected.price_usd_at_most_with_retries == pytest.approx(1.68)  # a paid answer that is none is asked twice
    assert expected.price_usd_expected == 0  # the first 10,000 of a month are free
    assert not root.ledger.exists()


def test_a_finished_collection_is_not_planned_to_be_paid_again(root, server, request_for):
    plan = plan_of(6)
    request = request_for(max_images=9)
    collect(root, request, plan)
    half = estimate(plan, root, request.settings, "uk", VIEWS)
    assert (half.points_known, half.panoramas_known, half.images_known) == (6, 6, 9)
    assert half.metadata_requests_at_most == 0
    assert half.image_requests_expected == half.image_requests_at_most == 9
    asked = server.requests
    collect(root, replace(request, max_images=None), plan)
    whole = estimate(plan, root, request.settings, "uk", VIEWS)
    assert (whole.image_requests_at_most, whole.metadata_requests_at_most, whole.price_usd_at_most) == (0, 0, 0.0)
    assert whole.seconds_expected == 0
    assert whole.billed_this_month == server.images.__len__() == 18
    assert server.requests == asked + 9  # planning sent nothing


def test_earlier_collections_tell_how_often_there_is_imagery(root, server, request_for):
    plan = plan_of(60, draws=1)
    barren = {f"{lat:.7f},{lon:.7f}" for lat, lon in plan[["lat", "lon"]].values[::3]}

    def nothing_there(request):
        return web.json_response({"status": "ZERO_RESULTS"}) if request.query["location"] in barren else None

    server.on_metadata = nothing_there
    request = request_for(max_images=0)
    collect(root, request, plan)
    other = plan_of(30, draws=1).assign(lat=lambda points: points["lat"] + 0.5)
    expected = estimate(other, root, request.settings, "uk", VIEWS)
    assert expected.hit_share == pytest.approx(2 / 3, abs=0.001)
    assert "earlier collections of uk: 40 of 60" in expected.hit_basis
    assert expected.panoramas_expected == 20
    assert "other regions" in estimate(other, root, request.settings, "us", VIEWS).hit_basis
    elsewhere = other.assign(radius_m=9999.0)
    assert "other kinds" in estimate(elsewhere, root, request.settings, "uk", VIEWS).hit_basis


def test_open_imagery_costs_nothing_and_is_asked_slowly(root):
    settings = Settings(_env_file=None, provider="panoramax")
    expected = estimate(plan_of(10), root, settings, "uk", VIEWS)
    assert expected.price_usd_at_most == expected.price_usd_expected == 0
    google = estimate(plan_of(10), root, Settings(_env_file=None), "uk", VIEWS)
    assert expected.seconds_expected > google.seconds_expected


def test_prices_at_the_edges_of_the_tiers():
    assert discounted_usd(7_000, 0, 10_000) == 0
    assert discounted_usd(7_000, 0, 11_000) == pytest.approx(7.0)
    assert discounted_usd(7_000, 10_000, 1_000) == pytest.approx(7.0)
    assert discounted_usd(7_000, 99_000, 2_000) == pytest.approx(7.0 + 5.6)
    assert discounted_usd(0, 0, 1_000_000) == 0


@given(st.integers(0, 600_000), st.integers(0, 600_000), st.integers(0, 600_000))
def test_buying_at_once_or_in_two_goes_costs_the_same_and_never_more_than_at_list(before, first, second):
    at_once = discounted_usd(7_000, before, first + second)
    in_two = discounted_usd(7_000, before, first) + discounted_usd(7_000, before + first, second)
    assert at_once == pytest.approx(in_two, abs=1e-6)
    assert at_once <= (first + second) * 0.007 + 1e-9


def test_the_numbers_are_plain_json(root, request_for):
    from dataclasses import asdict

    assert json.loads(json.dumps(asdict(estimate(plan_of(3), root, request_for().settings, "uk"))))["points"] == 3
