"""The Panoramax client against the emulated catalogue, and against one that answers oddly."""

import asyncio
import io
import json
import math
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import requests
from aiohttp import web
from PIL import Image

from geolocate.collection import CollectRequest, Pace, collect, validate_collection
from geolocate.emulator.config import EmulatorConfig
from geolocate.errors import RightsError, SettingsError
from geolocate.geography.distances import haversine_km
from geolocate.manifest import read_manifest
from geolocate.providers.panoramax import Panoramax
from geolocate.providers.protocol import RefusedError, ThrottledError, UnreachableError
from geolocate.providers.registry import provider_from_settings
from geolocate.records import Miss, OutcomeStatus, Panorama, Rights, SamplePoint, View, World
from geolocate.settings import Settings
from geolocate.storage import DataRoot
from tests.collection.stand_in import plan_of
from tests.emulator.conftest import running

RIGHTS = Rights("", "", "open-licence", World.REAL, "1")
POINT = SamplePoint("p", 0, "g", 51.5, -0.1, 100.0, 1.0)
VIEW = View(90.0, width=96, height=96)
METRE = 1 / 111_195


def item(name="one", *, north_m=10.0, azimuth=30.0, fov=70.0, licence="CC-BY-SA-4.0", sensor=(4000, 3000), **facts):
    """A picture so many metres north of the point."""
    return {
        "type": "Feature",
        "id": name,
        "collection": "drive",
        "geometry": {"type": "Point", "coordinates": [POINT.lon, POINT.lat + north_m * METRE]},
        "properties": {
            "datetime": "2023-05-06T07:08:09Z",
            "license": licence,
            "view:azimuth": azimuth,
            "geovisio:producer": "Ann",
            "pers:interior_orientation": {
                "field_of_view": fov,
                "camera_manufacturer": "Maker",
                "camera_model": "Model",
                "sensor_array_dimensions": list(sensor),
            },
            **facts,
        },
        "assets": {"sd": {"href": f"{{origin}}/picture/{name}.jpg"}},
    }


def page(*items, following=None):
    return {"features": list(items), "links": [{"rel": "next", "href": following}] if following else []}


def jpeg(image):
    body = io.BytesIO()
    image.save(body, "JPEG", quality=95)
    return body.getvalue()


class Catalogue:
    """Answers searches with ``pages`` in turn, the last one for ever, and pictures with what ``on_picture`` gives."""

    def __init__(self, *pages):
        self.pages = list(pages)
        self.searches = []
        self.pictures = []
        self.on_search = lambda request: None
        self.on_picture = lambda request: web.Response(body=jpeg(sphere()), content_type="image/jpeg")

    async def search(self, request):
        self.searches.append(dict(request.query))
        number = min(len(self.searches), len(self.pages)) - 1
        text = json.dumps(self.pages[number]).replace("{origin}", str(request.url.origin()))
        return self.on_search(request) or web.Response(text=text, content_type="application/geo+json")

    async def picture(self, request):
        self.pictures.append(request.path)
        return self.on_picture(request)


@contextmanager
def serving(catalogue):
    """Serve in a thread of its own; yields the base URL."""
    loop, started, ports = asyncio.new_event_loop(), threading.Event(), []
    app = web.Application()
    app.router.add_get("/api/search", catalogue.search)
    app.router.add_get("/picture/{name}", catalogue.picture)
    runner = web.AppRunner(app)

    async def start():
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])
        started.set()

    def run():
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def ask(url, work):
    async def run():
        client = Panoramax(url, RIGHTS, "test")
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def found_in(*pages):
    catalogue = Catalogue(*pages)
    with serving(catalogue) as url:
        return ask(url, lambda client: client.find(POINT)), catalogue


def sphere():
    """A whole 360° picture whose colour tells where one looks: a quarter each, the first around its middle."""
    quarters = np.array([(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40)], np.uint8)
    column = (np.arange(2048) - 1024 + 256) // 512 % 4
    return Image.fromarray(np.broadcast_to(quarters[column], (1024, 2048, 3)))


def test_a_flat_picture_carries_its_licence_its_creator_and_its_own_view():
    place, catalogue = found_in(page(item()))
    assert isinstance(place, Panorama)
    assert place.native == View(30.0, 0.0, 70.0, 2048, 1536)
    assert (place.rights.license, place.rights.attribution) == ("CC-BY-SA-4.0", "© Ann, Panoramax")
    assert (place.creator, place.sequence_id, place.camera) == ("Ann", "drive", "Maker Model")
    assert place.captured == "2023-05-06"
    assert place.address.endswith("/picture/one.jpg")
    west, south, east, north = (float(side) for side in catalogue.searches[0]["bbox"].split(","))
    assert (north - south) / 2 == pytest.approx(100 * METRE, rel=1e-3)
    assert (west + east) / 2 == pytest.approx(POINT.lon)
    assert len(catalogue.searches) == 1


def test_flat_pictures_that_stand_together_and_look_apart_are_one_place():
    north, same, back = item("a"), item("b", north_m=12, azimuth=50), item("c", north_m=14, azimuth=200)
    other_licence = item("d", north_m=13, azimuth=120, licence="etalab-2.0")
    far = item("e", north_m=40, azimuth=120)
    place, _ = found_in(page(north, same, other_licence, back, far))
    assert [one.source_id for one in place.members] == ["a", "c"]
    assert [one.native.heading for one in place.members] == [30.0, 200.0]


def test_a_360_picture_at_the_place_is_taken_alone():
    place, _ = found_in(page(item("flat"), item("whole", north_m=15, fov=360, azimuth=77.0)))
    assert (place.source_id, place.native, place.azimuth, place.companions) == ("whole", None, 77.0, ())


@pytest.mark.parametrize(
    ("items", "status", "detail"),
    [
        ([], OutcomeStatus.NO_IMAGERY, ""),
        ([item(north_m=150)], OutcomeStatus.NO_IMAGERY, ""),
        ([item(licence="CC-BY-NC-4.0")], OutcomeStatus.WRONG_PROVIDER, "licence CC-BY-NC-4.0"),
        ([item(licence=None)], OutcomeStatus.WRONG_PROVIDER, "licence None"),
        ([item(azimuth=None)], OutcomeStatus.WRONG_PROVIDER, "no azimuth"),
        ([item(azimuth="NaN")], OutcomeStatus.WRONG_PROVIDER, "no azimuth"),
        ([item(fov=None)], OutcomeStatus.WRONG_PROVIDER, "no field of view"),
        ([item(sensor=())], OutcomeStatus.WRONG_PROVIDER, "no size"),
        ([item() | {"assets": {"sd": {"href": "file:///etc/passwd"}}}], OutcomeStatus.WRONG_PROVIDER, "no picture in"),
        ([{"id": "x"}, 7, None], OutcomeStatus.NO_IMAGERY, ""),
    ],
)
def test_what_cannot_be_used_is_a_miss_with_its_reason(items, status, detail):
    miss, _ = found_in({"features": items, "links": []})
    assert isinstance(miss, Miss)
    assert miss.status == status
    assert miss.detail.startswith(detail)


def test_the_licence_is_read_whatever_its_case_and_the_next_usable_picture_is_taken():
    place, _ = found_in(page(item("shut", licence="proprietary"), item("open", north_m=20, licence="Etalab-2.0")))
    assert (place.source_id, place.rights.license) == ("open", "etalab-2.0")


def test_a_full_page_of_the_nearest_is_enough_and_asks_once():
    _, catalogue = found_in(page(*[item(f"{number:03d}", north_m=1 + number) for number in range(100)]))
    assert len(catalogue.searches) == 1


def test_a_point_that_names_its_picture_is_looked_up_by_id():
    named = replace(POINT, source_id="one", lat=math.nan, lon=math.nan)

    def looked_up(*items):
        catalogue = Catalogue(page(*items))
        with serving(catalogue) as url:
            return ask(url, lambda client: client.find(named)), catalogue.searches

    found, searches = looked_up(item())
    assert (found.source_id, found.companions, searches) == ("one", (), [{"ids": "one"}])
    assert looked_up()[0].status == looked_up(item("another"))[0].status == OutcomeStatus.NO_IMAGERY
    assert looked_up(item(licence="proprietary"))[0].status == OutcomeStatus.WRONG_PROVIDER


def test_where_the_nearest_are_of_no_use_the_next_page_is_read():
    useless = [item(f"{number}", north_m=1 + number / 10, licence="proprietary") for number in range(5)]
    place, catalogue = found_in(
        page(*useless, following="/api/search?page=2"), page(item("useful", north_m=60), following="")
    )
    assert place.source_id == "useful"
    assert catalogue.searches[1] == {"page": "2"}


def test_a_full_page_in_no_order_is_asked_for_again_with_more():
    shuffled = [item(f"{number:03d}", north_m=1 + number * 37 % 90) for number in range(100)]
    place, catalogue = found_in(page(*shuffled), page(*shuffled, item("nearest", north_m=0.5)))
    assert place.source_id == "nearest"
    assert [search["limit"] for search in catalogue.searches] == ["100", "1000"]


def test_a_next_page_on_another_host_is_not_followed():
    useless = item(licence="proprietary")
    with pytest.raises(UnreachableError, match="another host"):
        found_in(page(useless, following="http://127.0.0.1:9/api/search?page=2"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: web.Response(status=429, headers={"Retry-After": "7"}), ThrottledError),
        (lambda: web.Response(status=503, headers={"Retry-After": "7"}), ThrottledError),
        (lambda: web.Response(status=503), UnreachableError),
        (lambda: web.Response(status=403), RefusedError),
        (lambda: web.Response(text="<html>", content_type="text/html"), UnreachableError),
        (lambda: web.json_response(["no", "object"]), UnreachableError),
        (lambda: web.Response(body=b"[" * 100_000), UnreachableError),
        (lambda: web.Response(body=b'{"features":' + b"[" * 100_000), UnreachableError),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"}), UnreachableError),
    ],
)
def test_each_bad_answer_has_its_kind_of_error(answer, error):
    catalogue = Catalogue(page())
    catalogue.on_search = lambda request: answer()
    with serving(catalogue) as url, pytest.raises(error) as caught:
        ask(url, lambda client: client.find(POINT))
    if error is ThrottledError:
        assert caught.value.retry_after_s == 7


def fetched(catalogue, *views):
    async def work(client):
        panorama = await client.find(POINT)
        return await asyncio.gather(*(client.fetch(panorama, view) for view in views), return_exceptions=True)

    with serving(catalogue) as url:
        return ask(url, work)


def test_views_are_cut_at_true_headings_from_one_picture_that_is_fetched_once():
    catalogue = Catalogue(page(item(fov=360, azimuth=90.0)))
    views = [View(heading, fov=60, width=96, height=96) for heading in (90.0, 180.0, 270.0, 0.0)]
    pictures = fetched(catalogue, *views)
    assert len(catalogue.pictures) == 1
    shown = [np.asarray(Image.open(io.BytesIO(picture.body)))[48, 48] for picture in pictures]
    assert [list(pixel // 100) for pixel in shown] == [[2, 0, 0], [0, 2, 0], [0, 0, 2], [2, 2, 0]]


def test_a_redirect_of_a_picture_is_followed_to_http_only():
    def redirected(to):
        catalogue = Catalogue(page(item()))
        catalogue.on_picture = lambda request: web.Response(
            status=302 if "one" in request.path else 200, headers={"Location": to}, body=jpeg(sphere())
        )
        return fetched(catalogue, VIEW)[0]

    assert redirected("/picture/two.jpg").http_status == 200
    assert isinstance(redirected("file:///etc/passwd"), UnreachableError)


def test_a_picture_that_is_not_there_says_nothing_about_the_others():
    catalogue = Catalogue(page(item(fov=360)))
    catalogue.on_picture = lambda request: web.Response(status=404)
    assert [picture.http_status for picture in fetched(catalogue, VIEW, VIEW)] == [404, 404]


def test_a_host_that_refuses_does_not_make_pictures_vanish():
    catalogue = Catalogue(page(item(fov=360)))
    catalogue.on_picture = lambda request: web.Response(status=403)
    assert isinstance(fetched(catalogue, VIEW)[0], UnreachableError)


def test_a_cut_off_360_picture_is_asked_for_again():
    catalogue = Catalogue(page(item(fov=360)))
    whole = jpeg(sphere())
    catalogue.on_picture = lambda request: web.Response(
        body=whole if len(catalogue.pictures) > 1 else whole[: len(whole) // 2], content_type="image/jpeg"
    )

    async def work(client):
        panorama = await client.find(POINT)
        with pytest.raises(UnreachableError):
            await client.fetch(panorama, VIEW)
        return await client.fetch(panorama, VIEW)

    with serving(catalogue) as url:
        assert ask(url, work).http_status == 200


def test_its_own_host_needs_no_key_and_another_must_say_which_world_it_shows():
    own = provider_from_settings(Settings(_env_file=None, provider="panoramax", world=None))
    assert (own.name, own.rights.rights_basis, own.rights.world) == ("panoramax", "open-licence", World.REAL)
    elsewhere = {"provider": "panoramax", "panoramax_url": "http://127.0.0.1:1"}
    with pytest.raises(SettingsError, match="GEOLOCATE_WORLD=emulated"):
        provider_from_settings(Settings(_env_file=None, world=None, **elsewhere))
    with pytest.raises(RightsError):
        provider_from_settings(Settings(_env_file=None, world=World.REAL, **elsewhere))


@pytest.fixture(scope="module")
def emulator():
    with running(EmulatorConfig(port=0, processes=1)) as url:
        yield url


def request_to(url, name="open"):
    settings = Settings(_env_file=None, provider="panoramax", panoramax_url=url, world=World.EMULATED)
    pace = Pace(per_second=500, first_pause_s=0.01, longest_pause_s=0.2)
    return CollectRequest(name, settings, "uk", views=(VIEW, View(180.0, width=96, height=96)), pace=pace)


def test_a_collection_of_open_pictures_reconciles_and_a_rerun_asks_for_nothing(emulator, tmp_path):
    root = DataRoot(tmp_path)
    points = [(51.5101, -0.1202), (51.5112, -0.1187), (51.5093, -0.1224), (51.5087, -0.1169), (51.512, -0.1251)]
    plan = plan_of(len(points), shards=1)
    order = plan["point_id"].factorize()[0]
    plan = plan.assign(
        lat=[points[number][0] for number in order], lon=[points[number][1] for number in order], radius_m=120.0
    )
    summary = collect(root, request_to(emulator), plan)
    rows = pd.DataFrame(read_manifest(root.collection("open") / "manifest").drop(columns="geometry"))
    assert summary.statuses.get("complete", 0) >= 3
    assert summary.price_usd == 0
    assert validate_collection(root, "open").ok
    assert set(rows["license"]) <= {"CC-BY-SA-4.0", "etalab-2.0"}
    assert rows["attribution"].str.endswith("Panoramax").all()
    assert set(rows["world"]) == {"emulated"}
    assert rows[["creator", "sequence_id", "captured", "camera"]].notna().all(axis=None)
    flat = rows[rows["width"] == 2048]
    whole = rows[rows["width"] == 96]
    assert len(flat)
    assert len(whole)
    assert (whole.groupby("source_id")["heading"].agg(list).map(sorted).map(tuple) == (90.0, 180.0)).all()
    assert (flat["source_id"].value_counts() == 1).all()
    km = haversine_km(rows["lat"], rows["lon"], rows["requested_lat"], rows["requested_lon"])
    assert km.max() < 0.12 + 0.015
    before = requests.get(f"{emulator}/counters", timeout=10).json()
    again = collect(root, request_to(emulator), plan)
    other = collect(root, request_to(emulator, "other"), plan)
    assert (again.run_metadata_requests, again.run_image_requests, other.run_image_requests) == (0, 0, 0)
    after = requests.get(f"{emulator}/counters", timeout=10).json()
    assert {name: after[name] for name in before} == before
