"""The google-streetview package as a client: the same answers, the same ledger, no secret and no hanging."""

import asyncio
import socket
import time
from dataclasses import replace

import pytest
from aiohttp import web

from geolocate.collection import collect, validate_collection
from geolocate.errors import ProviderError
from geolocate.providers.google import GoogleStreetView
from geolocate.providers.google_package import GooglePackage
from geolocate.providers.protocol import RefusedError, ThrottledError, UnreachableError
from geolocate.providers.signing import sign
from geolocate.records import ImageReason, OutcomeStatus, SamplePoint, View
from tests.collection.conftest import KEY, SECRET
from tests.collection.stand_in import plan_of
from tests.providers.test_google import POINT, endpoint


def ask(client, work):
    async def run():
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def both(url, work):
    return [ask(client(endpoint(url)), work) for client in (GoogleStreetView, GooglePackage)]


def test_it_finds_and_fetches_what_our_own_client_does(server):
    ours, theirs = both(server.url, lambda client: client.find(POINT))
    assert ours == theirs
    view = View(90.0, 0, 90, 64, 64)
    ours, theirs = both(server.url, lambda client: client.fetch(theirs, view))
    assert (ours.body, ours.http_status) == (theirs.body, theirs.http_status)
    assert len(set(server.paths[-1:] + [path for path in server.paths if "/metadata" not in path])) == 1


def through_the_package(request):
    return replace(request, settings=request.settings.model_copy(update={"provider": "google-streetview"}))


def test_what_one_client_bought_the_other_does_not_buy_again(root, server, request_for):
    plan = plan_of(4, draws=1)
    collect(root, request_for("ours"), plan)
    before = server.requests
    summary = collect(root, through_the_package(request_for("theirs")), plan)
    assert (summary.images, summary.run_metadata_requests, summary.run_image_requests) == (12, 0, 0)
    assert server.requests == before
    assert validate_collection(root, "theirs").ok


def test_no_line_of_the_log_holds_key_or_signature(root, server, request_for, caplog):
    caplog.set_level("DEBUG")
    collect(root, through_the_package(request_for()), plan_of(2, draws=1))
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert any("GET" in line for line in lines)
    assert not [line for line in caplog.messages if KEY in line or SECRET in line or "signature=ch" in line]
    assert all("signature=[redacted]" in line for line in lines if "signature=" in line)


def test_it_collects_by_itself_and_signs(root, server, request_for):
    summary = collect(root, through_the_package(request_for("theirs")), plan_of(3, draws=1))
    assert (summary.statuses, summary.images) == ({"complete": 3}, 9)
    searches = [path for path in server.paths if "location=" in path]
    pictures = [path for path in server.paths if "/metadata" not in path]
    assert (len(searches), len(pictures)) == (3, 9)
    for path in searches + pictures:
        unsigned, _, signature = path.partition("&signature=")
        assert sign(unsigned, SECRET) == signature.replace("%3D", "=")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: web.json_response({"status": "OVER_QUERY_LIMIT"}), ThrottledError),
        (lambda: web.json_response({"status": "REQUEST_DENIED", "error_message": f"bad {KEY}"}), RefusedError),
        (lambda: web.Response(status=503, text="<html>later"), UnreachableError),
        (lambda: web.Response(text="no JSON"), UnreachableError),
    ],
)
def test_odd_metadata_are_the_errors_of_our_client_and_show_no_key(server, answer, error):
    server.on_metadata = lambda request: answer()
    with pytest.raises(error) as caught:
        ask(GooglePackage(endpoint(server.url)), lambda client: client.find(POINT))
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("status", "error"), [(403, RefusedError), (429, ThrottledError), (500, UnreachableError)])
def test_the_status_of_a_picture_is_not_lost_as_in_the_package(server, status, error):
    panorama = ask(GooglePackage(endpoint(server.url)), lambda client: client.find(POINT))
    server.on_image = lambda request: web.Response(status=status, text="no")
    with pytest.raises(error):
        ask(GooglePackage(endpoint(server.url)), lambda client: client.fetch(panorama, View(0.0)))


def test_a_server_that_never_answers_holds_up_nobody():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ProviderError, match="TimeoutError") as caught:
            ask(GooglePackage(endpoint(url), timeout_s=0.3), lambda client: client.find(POINT))
        assert time.monotonic() - started < 5
        assert KEY not in str(caught.value)


def test_a_panorama_that_was_named_and_is_gone_is_told(server):
    server.on_metadata = lambda request: web.json_response({"status": "ZERO_RESULTS"})
    named = SamplePoint("p", 0, "g", float("nan"), float("nan"), 50.0, 1.0, "x" * 22)
    for miss in both(server.url, lambda client: client.find(named)):
        assert (miss.status, miss.reason) == (OutcomeStatus.NO_IMAGERY, ImageReason.NOT_FOUND)
    assert {query["pano"] for query in server.metadata} == {"x" * 22}
