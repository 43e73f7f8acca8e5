"""The Mapillary client against the emulated API, and against one that answers oddly."""

import asyncio
import io
import json
import logging
import math
import threading
from contextlib import contextmanager

import mapbox_vector_tile
import pandas as pd
import pytest
import requests
from aiohttp import web
from PIL import Image
from shapely.geometry import Point

from geolocate.collection import CollectRequest, Pace, collect, validate_collection
from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.fault_names import Fault
from geolocate.emulator.faults import FaultShares
from geolocate.errors import ProviderError, RightsError, SettingsError
from geolocate.geography.distances import haversine_km
from geolocate.manifest import read_manifest
from geolocate.providers.protocol import RefusedError, ThrottledError, UnreachableError
from geolocate.providers.registry import provider_from_settings
from geolocate.providers.vector_tiles import tile_at, tiles_around
from geolocate.records import Miss, OutcomeStatus, Panorama, SamplePoint, View, World
from geolocate.settings import Settings
from geolocate.storage import DataRoot
from tests.collection.stand_in import plan_of
from tests.emulator.conftest import running

TOKEN = "MLY|1234567890|secretsecretsecret"
#: Well inside one tile, in Bristol.
POINT = SamplePoint("p", 0, "g", 51.4550, -2.5820, 60.0, 1.0)
VIEWS = (View(0.0, width=96, height=96), View(90.0, width=96, height=96))
TILE = tile_at(POINT.lat, POINT.lon)
METRE = 1 / 111_195


def settings_for(url, folder, **changes):
    here = {"mapillary_url": url, "mapillary_tiles_url": url, "world": World.EMULATED}
    return Settings(_env_file=None, data=folder, provider="mapillary", **{"mapillary_token": TOKEN, **here, **changes})


def asked(provider, work):
    """Run a coroutine with a provider, and close it."""

    async def run():
        try:
            return await work(provider)
        finally:
            await provider.close()

    return asyncio.run(run())


def found(url, folder, point=POINT):
    return asked(provider_from_settings(settings_for(url, folder), "2-0"), lambda provider: provider.find(point))


def photo(number, *, north_m=10.0, azimuth=30.0, **facts):
    """An entity so many metres north of the point."""
    position = {"type": "Point", "coordinates": [POINT.lon, POINT.lat + north_m * METRE]}
    return {
        "id": str(number),
        "geometry": position,
        "computed_geometry": position,
        "compass_angle": azimuth,
        "computed_compass_angle": azimuth,
        "captured_at": 1_600_000_000_000,
        "sequence": "drive",
        "is_pano": False,
        "width": 4000,
        "height": 3000,
        "creator": {"username": "ann"},
        "make": "Maker",
        "model": "Model",
        "camera_type": "perspective",
        "camera_parameters": [0.85, 0, 0],
        **facts,
    }


def jpeg(width, height):
    body = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(body, "JPEG")
    return body.getvalue()


class Odd:
    """An API whose tile shows ``photos``, and whose entities are those of them that are not ``gone``."""

    def __init__(self, *photos, gone=()):
        self.photos = {one["id"]: one for one in photos}
        self.gone = set(gone)
        self.requests = []
        self.on_tile = self.on_images = lambda request: None
        self.on_picture = lambda request: web.Response(body=jpeg(1024, 768), content_type="image/jpeg")

    async def tile(self, request):
        self.requests.append(request)
        return self.on_tile(request) or web.Response(body=self.body())

    def body(self):
        features = []
        for one in self.photos.values():
            lon, lat = one["geometry"]["coordinates"]
            column, row = _in_tile(lat, lon)
            names = {"id": int(one["id"]), "compass_angle": int(one["compass_angle"]), "is_pano": one["is_pano"]}
            features.append({"geometry": Point(column, row), "properties": names})
        layer = {"name": "image", "features": features}
        return mapbox_vector_tile.encode([layer], default_options={"y_coord_down": True})

    async def images(self, request):
        self.requests.append(request)
        kept = [one for one in request.query["image_ids"].split(",") if one in self.photos and one not in self.gone]
        address = f"{request.url.origin()}/picture"
        more = {f"thumb_{size}_url": f"{address}/{{}}/{len(self.requests)}" for size in (1024, 2048)}
        wanted = request.query["fields"].split(",")
        data = [
            {
                name: value
                for name, value in (self.photos[one] | {key: url.format(one) for key, url in more.items()}).items()
                if name in wanted
            }
            for one in kept
        ]
        return self.on_images(request) or web.json_response({"data": data})

    async def health(self, request):
        return web.json_response({"world_version": "2", "seed": 0})

    async def picture(self, request):
        self.requests.append(request)
        return self.on_picture(request)

    @property
    def paths(self):
        return [one.path for one in self.requests]


def _in_tile(lat, lon):
    size = 1 << 14
    column = (lon + 180) / 360 * size - TILE.x
    row = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * size - TILE.y
    return int(column * 4096), int(row * 4096)


@contextmanager
def serving(odd):
    """Serve in a thread of its own; yields the base URL."""
    loop, started, ports = asyncio.new_event_loop(), threading.Event(), []
    app = web.Application()
    app.router.add_get("/maps/vtp/mly1_public/2/14/{x}/{y}", odd.tile)
    app.router.add_get("/images", odd.images)
    app.router.add_get("/picture/{name}/{turn}", odd.picture)
    app.router.add_get("/health", odd.health)
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
    assert started.wait(30)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


def error(status, code, message="no"):
    body = {"error": {"message": message, "type": "OAuthException", "code": code}}
    return lambda request: web.json_response(body, status=status)


def test_a_place_is_the_nearest_photograph_and_those_beside_it_that_look_elsewhere(tmp_path):
    odd = Odd(
        photo(1, north_m=10, azimuth=30),
        photo(2, north_m=12, azimuth=50),
        photo(3, north_m=14, azimuth=120, computed_compass_angle=200.5, sequence="other"),
        photo(4, north_m=40, azimuth=300),
    )
    with serving(odd) as url:
        place = found(url, tmp_path)
    assert [one.source_id for one in place.members] == ["1", "3"]
    # What was computed goes before what the camera noted.
    assert [one.native.heading for one in place.members] == [30.0, 200.5]
    assert (place.native.width, place.native.height) == (1024, 768)
    assert place.native.fov == pytest.approx(60.9, abs=0.1)
    assert (place.captured, place.sequence_id, place.creator, place.camera) == (
        "2020-09-13",
        "drive",
        "ann",
        "Maker Model",
    )
    assert place.rights.license == "CC-BY-SA-4.0"
    assert place.rights.attribution == "@ann on the emulated Mapillary"
    assert haversine_km(place.lat, place.lon, POINT.lat, POINT.lon) == pytest.approx(0.010, abs=0.001)


def test_photographs_that_were_deleted_make_room_for_the_next_and_in_the_end_a_miss(tmp_path):
    photos = [photo(number, north_m=20 * number) for number in (1, 2)]
    with serving(Odd(*photos, gone={"1"})) as url:
        assert found(url, tmp_path / "a").source_id == "2"
    with serving(Odd(*photos, gone={"1", "2"})) as url:
        assert found(url, tmp_path / "b").status == OutcomeStatus.NO_IMAGERY
    with serving(Odd()) as url:
        assert found(url, tmp_path / "c") == Miss(OutcomeStatus.NO_IMAGERY)


def test_one_deleted_photograph_that_spoils_a_whole_answer_spoils_no_place(tmp_path):
    odd = Odd(photo(1), photo(2, azimuth=200), gone={"2"})
    odd.on_images = lambda request: error(400, 100)(request) if "2" in request.query["image_ids"].split(",") else None
    with serving(odd) as url:
        assert found(url, tmp_path).source_id == "1"


def test_a_photograph_that_was_taken_elsewhere_is_too_far(tmp_path):
    far = {"type": "Point", "coordinates": [POINT.lon, POINT.lat + 5000 * METRE]}
    with serving(Odd(photo(1, computed_geometry=far))) as url:
        assert found(url, tmp_path).status == OutcomeStatus.TOO_FAR


@pytest.mark.parametrize("broken", [{"width": None}, {"computed_compass_angle": None, "compass_angle": -1}])
def test_a_photograph_without_size_or_direction_is_left_out(tmp_path, broken):
    odd = Odd(photo(1), photo(2, north_m=30))
    tile = odd.body()
    odd.on_tile = lambda request: web.Response(body=tile)
    odd.photos["1"] |= broken
    with serving(odd) as url:
        assert found(url, tmp_path).source_id == "2"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(401, 190, f"Invalid OAuth access token {TOKEN}"), RefusedError),
        (error(403, 190), RefusedError),
        (lambda request: web.Response(status=403), RefusedError),
        (lambda request: web.Response(status=429, headers={"Retry-After": "7"}), ThrottledError),
        (error(400, 4, "Application request limit reached"), ThrottledError),
        (error(403, 17), ThrottledError),
        (error(500, 2), UnreachableError),
        (lambda request: web.Response(status=503), UnreachableError),
        (lambda request: web.Response(body=b"<html>sorry</html>"), UnreachableError),
        (lambda request: web.Response(status=404), UnreachableError),
        (lambda request: web.Response(body=b"[" * 100_000), UnreachableError),
        (lambda request: web.Response(body=b'{"error":' + b"[" * 100_000), UnreachableError),
        (lambda request: web.Response(status=400, body=b"[" * 100_000), UnreachableError),
    ],
)
@pytest.mark.parametrize("where", ["on_tile", "on_images"])
def test_errors_tell_how_to_go_on_and_never_the_token(tmp_path, answer, kind, where):
    odd = Odd(photo(1))
    setattr(odd, where, answer)
    with serving(odd) as url, pytest.raises(ProviderError) as raised:
        found(url, tmp_path)
    assert type(raised.value) is kind
    for form in (TOKEN, TOKEN.replace("|", "%7C"), "secretsecret"):
        assert form not in str(raised.value)
    assert raised.value.__cause__ is None
    if kind is ThrottledError and "429" in str(raised.value):
        assert raised.value.retry_after_s == 7
    # What is no tile is not kept.
    assert len(list(tmp_path.rglob("*.mvt"))) == (0 if where == "on_tile" else 1)


def test_a_tile_that_was_not_there_once_is_asked_for_again(tmp_path):
    odd = Odd(photo(1))
    odd.on_tile = lambda request: web.Response(status=404)
    with serving(odd) as url:
        with pytest.raises(UnreachableError, match="answers a tile with 404"):
            found(url, tmp_path)
        odd.on_tile = lambda request: None
        assert found(url, tmp_path).source_id == "1"


def test_a_tile_without_photographs_is_asked_for_once(tmp_path):
    # As Mapillary answers open water: one layer of this name, with nothing in it (osmeditor4android#1337).
    empty = bytes.fromhex("1a1678010a0f") + b"mapillary-empty" + bytes.fromhex("288020")
    for body in (b"", empty):
        odd, folder = Odd(photo(1)), tmp_path / str(len(body))
        odd.on_tile = lambda request, body=body: web.Response(body=body)
        with serving(odd) as url:
            assert found(url, folder).status == OutcomeStatus.NO_IMAGERY
            assert found(url, folder).status == OutcomeStatus.NO_IMAGERY
        assert len(odd.paths) == len(set(odd.paths))


def test_one_tile_serves_all_points_in_it_in_this_run_and_in_every_later_one(tmp_path):
    points = [SamplePoint(str(at), 0, "g", POINT.lat + at * 2 * METRE, POINT.lon, 60.0, 1.0) for at in range(30)]
    odd = Odd(*(photo(number, north_m=3 * number) for number in range(1, 30)))

    async def all_points(provider):
        return await asyncio.gather(*(provider.find(point) for point in points))

    with serving(odd) as url:
        settings = settings_for(url, tmp_path)
        first = asked(provider_from_settings(settings, "2-0"), all_points)
        assert all(isinstance(one, Panorama) for one in first)
        tiles = [path for path in odd.paths if "vtp" in path]
        assert len(tiles) == len(set(tiles)) == len(list(tmp_path.rglob("*.mvt")))
        # Thirty places in one or two requests.
        assert odd.paths.count("/images") <= 3
        assert asked(provider_from_settings(settings, "2-0"), all_points) == first
        assert [path for path in odd.paths if "vtp" in path] == tiles
        # Another version of the emulated world has tiles of its own.
        asked(provider_from_settings(settings, "3-0"), all_points)
        assert len([path for path in odd.paths if "vtp" in path]) == 2 * len(tiles)


def test_an_expired_address_is_renewed_and_the_host_of_the_pictures_never_sees_the_token(tmp_path):
    odd = Odd(photo(1))
    turns = []

    def expired_once(request):
        turns.append(request.match_info["turn"])
        if len(turns) == 1:
            return web.Response(status=403, text="URL signature expired")
        return web.Response(body=jpeg(1024, 768), content_type="image/jpeg")

    odd.on_picture = expired_once

    async def find_and_fetch(provider):
        place = await provider.find(POINT)
        return await provider.fetch(place, place.native)

    with serving(odd) as url:
        picture = asked(provider_from_settings(settings_for(url, tmp_path), "2-0"), find_and_fetch)
    assert picture.http_status == 200
    assert len(set(turns)) == 2
    for request in odd.requests:
        tile, image = "vtp" in request.path, "picture" in request.path
        assert ("access_token" in request.query) == tile
        assert ("Authorization" in request.headers) == (not tile and not image)


@pytest.mark.parametrize("status", [404, 410])
def test_a_photograph_that_stays_away_is_not_found(tmp_path, status):
    odd = Odd(photo(1))
    odd.on_picture = lambda request: web.Response(status=status)

    async def fetch(provider):
        place = await provider.find(POINT)
        odd.gone = {"1"} if status == 410 else set()
        return await provider.fetch(place, place.native)

    with serving(odd) as url:
        assert asked(provider_from_settings(settings_for(url, tmp_path), "2-0"), fetch).http_status == 404


def test_a_picture_host_that_refuses_new_addresses_too_does_not_make_photographs_vanish(tmp_path):
    odd = Odd(photo(1))
    odd.on_picture = lambda request: web.Response(status=403)

    async def fetch(provider):
        place = await provider.find(POINT)
        return await provider.fetch(place, place.native)

    with serving(odd) as url, pytest.raises(UnreachableError, match="403"):
        asked(provider_from_settings(settings_for(url, tmp_path), "2-0"), fetch)


def test_a_thumbnail_that_was_rounded_otherwise_is_scaled_and_another_shape_goes_on_as_it_is(tmp_path):
    odd = Odd(photo(1))

    async def fetch(provider):
        place = await provider.find(POINT)
        return place.native, await provider.fetch(place, place.native)

    for size, given in (((1024, 767), (1024, 768)), ((768, 1024), (768, 1024))):
        body = jpeg(*size)
        odd.on_picture = lambda request, body=body: web.Response(body=body, content_type="image/jpeg")
        with serving(odd) as url:
            _, picture = asked(provider_from_settings(settings_for(url, tmp_path), "2-0"), fetch)
        assert Image.open(io.BytesIO(picture.body)).size == given
        assert (picture.body == body) == (size == given)


def test_a_circle_over_the_corner_of_tiles_touches_four():
    size = 1 << 14
    assert len(tiles_around(0.0, 0.0, 10)) == 4
    assert tile_at(0.0, 0.0) == tile_at(-1e-9, 1e-9)
    assert tile_at(0.0, 180.0).x == 0
    assert (tile_at(90.0, 0.0).y, tile_at(-90.0, 0.0).y) == (0, size - 1)


def test_the_token_is_needed_and_other_hosts_are_the_emulator(tmp_path):
    with pytest.raises(SettingsError, match="MAPILLARY_TOKEN"):
        provider_from_settings(settings_for("http://127.0.0.1:1", tmp_path, mapillary_token=None))
    with pytest.raises(SettingsError, match="GEOLOCATE_WORLD=emulated"):
        provider_from_settings(settings_for("http://127.0.0.1:1", tmp_path, world=None))
    with pytest.raises(RightsError):
        provider_from_settings(settings_for("http://127.0.0.1:1", tmp_path, world=World.REAL))
    own = {"mapillary_url": "https://graph.mapillary.com", "mapillary_tiles_url": "https://tiles.mapillary.com"}
    real = provider_from_settings(settings_for("", tmp_path, **own, world=None))
    assert (real.realm, real.rights.license, real.rights.rights_basis) == ("real", "CC-BY-SA-4.0", "open-licence")
    assert TOKEN not in repr(real._endpoint)


@pytest.fixture(scope="module")
def emulator():
    with running(EmulatorConfig(port=0, processes=1, pictures="dummy")) as url:
        yield url


def counters(url):
    return requests.get(f"{url}/counters", timeout=10).json()


def test_a_collection_reconciles_names_everybody_and_a_rerun_asks_for_nothing(emulator, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    # The emulator's own log, in this process too, shows what it was asked.
    caplog.set_level(logging.CRITICAL, "aiohttp.access")
    root = DataRoot(tmp_path)
    plan = plan_of(14, shards=2, draws=2)
    order = plan["point_id"].factorize()[0] + 14 * plan["draw"]
    plan = plan.assign(lat=51.45 + order * 0.0004, lon=-2.6 + order % 7 * 0.001, radius_m=60.0)
    summary = collect(root, request_to(emulator, tmp_path), plan)
    report = validate_collection(root, "open")
    rows = pd.DataFrame(read_manifest(root.collection("open") / "manifest").drop(columns="geometry"))
    assert summary.statuses["complete"] >= 8
    assert report.ok
    assert rows["image_id"].is_unique
    flat, whole = rows[rows["width"] == 1024], rows[rows["width"] == 96]
    assert len(flat)
    assert len(whole)
    # A photograph is in one place; a place is one 360° picture, or flat ones that stand together and look apart.
    assert flat["source_id"].is_unique
    assert (whole["source_id"] == whole["panorama_id"]).all()
    assert (whole.groupby("source_id")["heading"].agg(list).map(sorted).map(tuple) == (0.0, 90.0)).all()
    assert (flat.groupby("panorama_id").size() > 1).any()
    assert rows[["creator", "sequence_id", "captured", "camera"]].notna().all(axis=None)
    assert set(rows["license"]) == {"CC-BY-SA-4.0"}
    assert set(rows["world"]) == {"emulated"}
    assert all(creator in line for creator, line in zip(rows["creator"], rows["attribution"], strict=True))
    before = counters(emulator)
    assert before["mapillary_tokens_sent_to_thumbnails"] == 0
    assert before["mapillary_tiles"] == len(list(tmp_path.rglob("*.mvt")))
    again, other = (
        collect(root, request_to(emulator, tmp_path), plan),
        collect(root, request_to(emulator, tmp_path, "other"), plan),
    )
    assert (again.run_metadata_requests, again.run_image_requests, other.run_image_requests) == (0, 0, 0)
    assert counters(emulator) == before
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    for secret in (TOKEN, TOKEN.replace("|", "%7C"), "secretsecretsecret"):
        assert secret not in caplog.text
        assert secret not in json.dumps(summary.statuses | summary.reasons)
        assert not [file for file in kept if secret.encode() in file.read_bytes()]


def request_to(url, folder, name="open", **changes):
    pace = Pace(per_second=2000, first_pause_s=0.01, longest_pause_s=0.2, refusals=4)
    return CollectRequest(name, settings_for(url, folder), "uk", views=VIEWS, pace=pace, **changes)


def test_a_token_that_is_refused_costs_a_handful_of_requests(tmp_path):
    plan = plan_of(60, shards=1, draws=1)
    with running(EmulatorConfig(port=0, processes=1, keys=("another",))) as url:
        with pytest.raises(ProviderError, match="MAPILLARY_TOKEN") as raised:
            collect(DataRoot(tmp_path), request_to(url, tmp_path), plan)
        assert TOKEN not in str(raised.value)
        refused = counters(url)["refused"]
        assert 1 <= refused <= 10, refused
        assert counters(url).get("mapillary_entities", 0) == 0


def test_faults_end_in_named_outcomes_and_never_in_a_wrong_picture(tmp_path):
    shares = ((Fault.SERVER_ERROR, 0.05), (Fault.TRUNCATED, 0.1), (Fault.HTML, 0.05), (Fault.RESET, 0.05))
    plan = plan_of(8, shards=1, draws=1)
    order = plan["point_id"].factorize()[0]
    plan = plan.assign(lat=51.452 + order * 0.0004, lon=-2.584 + order % 3 * 0.001, radius_m=60.0)
    config = EmulatorConfig(port=0, processes=1, pictures="dummy", faults=FaultShares(shares))
    root = DataRoot(tmp_path)
    with running(config) as url:
        summary = collect(root, request_to(url, tmp_path), plan)
        assert counters(url)["faults"] > 0
    assert validate_collection(root, "open").ok
    assert sum(summary.statuses.values()) == 8
    assert summary.statuses.get("complete", 0) >= 4


def test_the_days_tiles_are_counted_and_the_run_goes_on_another_day(tmp_path, monkeypatch):
    monkeypatch.setattr("geolocate.providers.mapillary.DAILY_TILES", 2)
    odd = Odd()
    points = [SamplePoint(str(at), 0, "g", POINT.lat + at * 0.05, POINT.lon, 60.0, 1.0) for at in range(4)]
    plan = plan_of(4, shards=1, draws=1).assign(lat=[one.lat for one in points], lon=POINT.lon, radius_m=60.0)
    with serving(odd) as url:
        with pytest.raises(ProviderError, match="2 Mapillary tiles were asked for today"):
            collect(DataRoot(tmp_path), request_to(url, tmp_path), plan)
        assert len([path for path in odd.paths if "vtp" in path]) == 2
        monkeypatch.setattr("geolocate.providers.mapillary.DAILY_TILES", 50_000)
        assert collect(DataRoot(tmp_path), request_to(url, tmp_path), plan).statuses == {"no_imagery": 4}
        assert len([path for path in odd.paths if "vtp" in path]) == 4
