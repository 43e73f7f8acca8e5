"""The Google client against the package that everybody uses, the published test vector, and odd answers."""

import asyncio
import json

import google_streetview.api
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geolocate.errors import SettingsError
from geolocate.providers.google import (
    IMAGE_PATH,
    METADATA_PATH,
    Endpoint,
    GoogleStreetView,
    image_parameters,
    metadata_parameters,
    request_url,
)
from geolocate.providers.protocol import RefusedError, ThrottledError, UnreachableError
from geolocate.providers.signing import redact, sign
from geolocate.records import Miss, OutcomeStatus, Panorama, Rights, SamplePoint, View, World
from tests.collection.stand_in import running_stand_in

RIGHTS = Rights("CC0-1.0", "", "own", World.EMULATED, "1")
POINT = SamplePoint("p", 0, "g", 51.5, -0.1, 50.0, 1.0)
KEY = "AIzaSecretKey0123456789"
FOREIGN_ID = "CIHM0og" + "x" * 15


@pytest.fixture
def server():
    with running_stand_in() as stand_in:
        yield stand_in


def endpoint(url: str, secret: str | None = None) -> Endpoint:
    return Endpoint(url, KEY, RIGHTS, realm="emulated", signing_secret=secret)


def ask(server, work):
    async def run():
        client = GoogleStreetView(endpoint(server.url))
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def test_the_signature_is_that_of_googles_test_vector():
    path = "/maps/api/geocode/json?address=New+York&client=clientID"
    assert sign(path, "vNIXE0xscrmjlyV-12Nj_BvUPaw=") == "chaRF2hTJKOScPr-RQCEhZbSzIE="


def test_a_secret_that_is_no_base64_is_named_and_not_shown():
    with pytest.raises(SettingsError, match="GOOGLE_MAPS_SIGNING_SECRET") as caught:
        sign("/path", "not base64!")
    assert "not base64!" not in str(caught.value)


def test_our_urls_are_those_of_the_google_streetview_package(server):
    """The package asks a real server for its metadata while it makes its links."""
    views = [View(heading, pitch=-10, fov=80, width=320, height=240) for heading in (0.0, 90.0, 180.0, 12.5)]
    ours = image_parameters("x" * 22, views)
    theirs = google_streetview.api.results(
        [{**parameters, "key": KEY} for parameters in ours], server.url + IMAGE_PATH, server.url + METADATA_PATH
    )
    assert [request_url(endpoint(server.url), IMAGE_PATH, parameters) for parameters in ours] == theirs.links
    points = google_streetview.api.results(
        [{**metadata_parameters(POINT), "size": "320x240", "key": KEY}],
        server.url + IMAGE_PATH,
        server.url + METADATA_PATH,
    )
    mine = request_url(endpoint(server.url), METADATA_PATH, metadata_parameters(POINT))
    assert mine.replace("&key=", "&size=320x240&key=") == points.metadata_links[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text("abcdefgXYZ0189_-", min_size=22, max_size=22),
    st.lists(
        st.builds(
            View,
            st.floats(0, 360).map(lambda degrees: round(degrees, 2)),
            st.integers(-90, 90),
            st.integers(10, 120),
            st.integers(64, 640),
            st.integers(64, 640),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_whatever_is_asked_for_the_urls_are_the_package_s_to_the_byte(server, pano, views):
    """Order included, signing aside, which the package does not know."""
    ours = image_parameters(pano, views)
    theirs = google_streetview.api.results(
        [{**parameters, "key": KEY} for parameters in ours], server.url + IMAGE_PATH, server.url + METADATA_PATH
    )
    assert [request_url(endpoint(server.url), IMAGE_PATH, parameters) for parameters in ours] == theirs.links


def test_views_of_different_sizes_are_not_multiplied():
    views = [View(0.0), View(0.0, fov=60)]
    assert [parameters["fov"] for parameters in image_parameters("p", views)] == ["90", "60"]


def test_the_signature_comes_last_and_covers_the_path():
    secret = "vNIXE0xscrmjlyV-12Nj_BvUPaw="
    url = request_url(endpoint("http://127.0.0.1:1", secret), METADATA_PATH, metadata_parameters(POINT))
    unsigned, _, signature = url.partition("&signature=")
    assert sign(unsigned.removeprefix("http://127.0.0.1:1"), secret) == signature


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40))
def test_no_text_shows_a_secret_after_redaction(secret):
    from urllib.parse import urlencode

    text = f"GET /x?{urlencode({'key': secret, 'signature': secret})} said {secret}"
    shown = redact(text, (secret,))
    assert secret not in shown.replace("[redacted]", "")
    assert "[redacted]" in shown


def test_a_panorama_carries_its_own_position_and_rights(server):
    found = ask(server, lambda client: client.find(POINT))
    assert isinstance(found, Panorama)
    assert (found.lat, found.lon, found.captured) == (51.5, -0.1, "2021-07")
    assert found.rights.attribution == "© Google"
    assert server.metadata[0]["source"] == "outdoor"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"status": "ZERO_RESULTS"}, OutcomeStatus.NO_IMAGERY),
        ({"status": "NOT_FOUND"}, OutcomeStatus.NO_IMAGERY),
        ({"status": "OK", "pano_id": "x" * 22, "copyright": "© Google"}, OutcomeStatus.NO_IMAGERY),
        (
            {"status": "OK", "pano_id": "x" * 22, "copyright": "© Google", "location": {"lat": 51.6, "lng": -0.1}},
            OutcomeStatus.TOO_FAR,
        ),
        (
            {"status": "OK", "pano_id": "x" * 22, "copyright": "© Ann", "location": {"lat": 51.5, "lng": -0.1}},
            OutcomeStatus.WRONG_PROVIDER,
        ),
        (
            {"status": "OK", "pano_id": "x" * 23, "copyright": "© Google", "location": {"lat": 51.5, "lng": -0.1}},
            OutcomeStatus.WRONG_PROVIDER,
        ),
        (
            {"status": "OK", "pano_id": FOREIGN_ID, "copyright": "© Google", "location": {"lat": 51.5, "lng": -0.1}},
            OutcomeStatus.WRONG_PROVIDER,
        ),
        ({"status": "OK", "pano_id": "x" * 22, "location": {"lat": 51.5, "lng": -0.1}}, OutcomeStatus.WRONG_PROVIDER),
        (
            {"status": "OK", "pano_id": "x" * 22, "copyright": "© Google", "location": {"lat": "NaN", "lng": -0.1}},
            OutcomeStatus.TOO_FAR,
        ),
    ],
)
def test_what_the_metadata_does_not_promise_is_checked(server, answer, status):
    server.on_metadata = lambda request: web.json_response(answer)
    miss = ask(server, lambda client: client.find(POINT))
    assert isinstance(miss, Miss)
    assert miss.status == status


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: web.json_response({"status": "OVER_QUERY_LIMIT"}), ThrottledError),
        (lambda: web.json_response({"status": "REQUEST_DENIED", "error_message": f"bad {KEY}"}), RefusedError),
        (lambda: web.json_response({"status": "INVALID_REQUEST"}), UnreachableError),
        (lambda: web.json_response({"status": "UNKNOWN_ERROR"}), UnreachableError),
        (lambda: web.json_response(["no", "object"]), UnreachableError),
        (lambda: web.Response(text="<html>proxy</html>"), UnreachableError),
        (lambda: web.Response(status=503), UnreachableError),
        (lambda: web.Response(status=302, headers={"Location": "http://elsewhere.example/"}), UnreachableError),
        (lambda: web.Response(status=429, headers={"Retry-After": "7"}), ThrottledError),
        (lambda: web.Response(status=403, text=f"key {KEY} is not allowed"), RefusedError),
    ],
)
def test_each_bad_answer_has_its_kind_of_error_and_no_secret(server, answer, error):
    server.on_metadata = lambda request: answer()
    with pytest.raises(error) as caught:
        ask(server, lambda client: client.find(POINT))
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_used_up_quota_of_pictures_is_no_refusal(server):
    server.on_image = lambda request: web.Response(status=403, text="You have exceeded your daily request quota.")
    panorama = Panorama("google", "x" * 22, 51.5, -0.1, None, RIGHTS)
    with pytest.raises(ThrottledError):
        ask(server, lambda client: client.fetch(panorama, View(0.0)))


def test_a_body_without_end_is_cut(server):
    server.on_metadata = lambda request: web.Response(body=json.dumps({"x": "y" * 20_000_000}).encode())
    with pytest.raises(UnreachableError):
        ask(server, lambda client: client.find(POINT))


@pytest.mark.parametrize(("date", "captured"), [("2021-07", "2021-07"), ("2091-07", None), ("", None), ("July", None)])
def test_a_capture_month_that_is_still_to_come_is_none(server, date, captured):
    place = {"lat": POINT.lat, "lng": POINT.lon}
    answer = {"status": "OK", "pano_id": "x" * 22, "location": place, "date": date, "copyright": "© Google"}
    server.on_metadata = lambda request: web.json_response(answer)
    assert ask(server, lambda client: client.find(POINT)).captured == captured


def test_a_request_on_a_broken_connection_is_not_sent_again_unseen(server):
    """The library would repeat it by itself where the connection had served before: billed twice, counted once."""

    def hang_up_on_the_second(request):
        if len(server.images) == 2:
            request.transport.abort()

    server.on_image = hang_up_on_the_second

    async def ask_twice(client):
        panorama = Panorama("google", "x" * 22, 51.5, -0.1, None, RIGHTS)
        await client.fetch(panorama, View(0.0, width=64, height=64))
        with pytest.raises(UnreachableError) as broken:
            await client.fetch(panorama, View(90.0, width=64, height=64))
        return broken.value.billable

    assert ask(server, ask_twice) is True
    assert len(server.images) == 2
