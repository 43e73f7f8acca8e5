"""Serve Google's two Street View endpoints over the emulated world.

In: an ``EmulatorConfig``. Out: HTTP, as the Street View Static API answers it; ``/health`` and ``/counters`` besides.
"""

import asyncio
import errno
import logging
import math
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from geolocate.emulator import access, parameters, pictures
from geolocate.emulator.cache import PictureCache
from geolocate.emulator.camera import Camera
from geolocate.emulator.faults import Fault, FaultDice, FaultShares
from geolocate.emulator.panoramas import EmulatedPanorama, nearest_panorama, panorama_by_id
from geolocate.emulator.workers import DrawingPool
from geolocate.emulator.world import WORLD_VERSION, surroundings_at
from geolocate.errors import ProviderError, SettingsError, StorageError

log = logging.getLogger(__name__)

IMAGE_PATH = "/maps/api/streetview"
METADATA_PATH = "/maps/api/streetview/metadata"
DEFAULT_PORT = 8930
#: Where an answer goes that ignores the radius: metadata in Seattle was once answered from 3,498 km away.
_FAR_DEGREES = 2.0


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """How to run the emulator. No keys: any key will do; no secret: signatures are not looked at."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    seed: int = 0
    keys: tuple[str, ...] = field(default=(), repr=False)
    signing_secret: bytes | None = field(default=None, repr=False)
    processes: int = 0
    latency_ms: float = 0.0
    faults: FaultShares = field(default_factory=FaultShares)

    def __post_init__(self) -> None:
        """Refuse what cannot be served."""
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port {self.port}: choose one from 1 to 65535, or 0 for any that is free")
        if self.processes < 0:
            raise SettingsError(f"processes {self.processes}: give 1 or more, or 0 for one a core")
        if not 0 <= self.latency_ms <= 60_000:
            raise SettingsError(f"latency {self.latency_ms:g} ms: choose from 0 to 60000")

    @property
    def worker_count(self) -> int:
        """How many processes draw."""
        return self.processes or os.cpu_count() or 1


@dataclass(slots=True)
class Emulator:
    """The state of one server; all of it lives in the one process that answers."""

    config: EmulatorConfig
    pool: DrawingPool
    dice: FaultDice
    finished: PictureCache = field(default_factory=PictureCache)
    counters: Counter[str] = field(default_factory=Counter)

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """Answer free metadata: always JSON with status 200, unless a fault befalls it."""
        self.counters["metadata"] += 1
        fault = await self._delay(request)
        if fault in _FAULTY:
            return await _FAULTY[fault](request)
        try:
            self._check_access(request)
            place = parameters.read_place(request.query)
        except ProviderError as error:
            return _metadata_refusal(error)
        if fault is Fault.OVER_QUERY_LIMIT:
            return _status("OVER_QUERY_LIMIT", "You have exceeded your daily request quota for this API.")
        if fault is Fault.FAR and place.pano_id is None:
            panorama = nearest_panorama(self.config.seed, place.lat + _FAR_DEGREES, place.lon, 5000.0)
        else:
            panorama = self._find(place)
        if panorama is None:
            return _status("ZERO_RESULTS")
        return web.json_response(
            {
                "copyright": panorama.copyright,
                "date": panorama.date,
                "location": {"lat": panorama.lat, "lng": panorama.lon},
                "pano_id": panorama.pano_id,
                "status": "OK",
            }
        )

    async def image(self, request: web.Request) -> web.StreamResponse:
        """Answer a picture: drawn, grey, or an error code."""
        fault = await self._delay(request)
        if fault in _FAULTY:
            return await _FAULTY[fault](request)
        try:
            self._check_access(request)
            view = parameters.read_view(request.query)
            place = parameters.read_place(request.query)
        except access.AccessError as error:
            return web.Response(status=403, text=str(error))
        except parameters.BadRequestError as error:
            return web.Response(status=400, text=str(error))
        except parameters.UnknownPlaceError:
            return self._without_imagery(parameters.read_view(request.query))
        if fault is Fault.OVER_QUERY_LIMIT:
            return web.Response(status=403, text="You have exceeded your daily request quota for this API.")
        # Pictures and the answer that there is none are billed; refusals are not.
        self.counters["billed"] += 1
        if fault is Fault.ERROR_PICTURE:
            return _jpeg(pictures.error_picture(view.width, view.height))
        panorama = self._find(place)
        if panorama is None:
            return self._without_imagery(view)
        body = await self._draw(panorama, place, view)
        self.counters["images"] += 1
        return await _truncated(request, body) if fault is Fault.TRUNCATED else _jpeg(body)

    async def health(self, _: web.Request) -> web.Response:
        """Say that the server answers, and which world it shows."""
        return web.json_response(
            {"status": "ok", "world": "emulated", "world_version": WORLD_VERSION, "seed": self.config.seed}
        )

    async def count(self, _: web.Request) -> web.Response:
        """Say what was asked since the start."""
        names = ("metadata", "billed", "images", "drawn", "no_imagery", "refused", "faults")
        return web.json_response({name: self.counters[name] for name in names})

    def _check_access(self, request: web.Request) -> None:
        try:
            access.check_key(request.query.get("key", ""), self.config.keys)
            if self.config.signing_secret is not None:
                access.check_signature(request.raw_path, self.config.signing_secret)
        except access.AccessError:
            self.counters["refused"] += 1
            raise

    async def _delay(self, request: web.Request) -> Fault | None:
        if self.config.latency_ms:
            await asyncio.sleep(self.config.latency_ms / 1000)
        fault = self.dice.fault_for(request.raw_path)
        self.counters["faults"] += fault is not None
        return fault

    def _find(self, place: parameters.PlaceRequest) -> EmulatedPanorama | None:
        if place.pano_id is not None:
            return panorama_by_id(self.config.seed, place.pano_id)
        return nearest_panorama(self.config.seed, place.lat, place.lon, place.radius_m)

    def _without_imagery(self, view: parameters.ViewRequest) -> web.Response:
        self.counters["no_imagery"] += 1
        if view.return_error_code:
            return web.Response(status=404, text="")
        return _jpeg(pictures.grey_picture(view.width, view.height))

    async def _draw(
        self, panorama: EmulatedPanorama, place: parameters.PlaceRequest, view: parameters.ViewRequest
    ) -> bytes:
        heading = view.heading if view.heading is not None else _heading_to(panorama, place)
        camera = Camera(heading % 360, view.pitch, view.fov, view.width, view.height)
        if (body := self.finished.get((panorama.pano_id, camera))) is not None:
            return body
        surroundings = surroundings_at(
            self.config.seed, panorama.lat, panorama.lon, panorama.road_bearing, panorama.road_rank
        )
        if surroundings is None:  # panoramas lie on mapped ground only
            raise StorageError(f"panorama {panorama.pano_id} lies outside the mapped world")
        body = await self.pool.draw(surroundings, camera, panorama.nuisance)
        self.finished.put((panorama.pano_id, camera), body)
        self.counters["drawn"] += 1
        return body


def _heading_to(panorama: EmulatedPanorama, place: parameters.PlaceRequest) -> float:
    """Look from the panorama at the location that was asked for; along the road when asked by id."""
    if place.pano_id is not None:
        return panorama.road_bearing
    east = (place.lon - panorama.lon) * math.cos(math.radians(panorama.lat))
    return math.degrees(math.atan2(east, place.lat - panorama.lat)) % 360


def _status(status: str, message: str = "") -> web.Response:
    return web.json_response({"error_message": message, "status": status} if message else {"status": status})


def _metadata_refusal(error: ProviderError) -> web.Response:
    if isinstance(error, access.AccessError):
        return _status("REQUEST_DENIED", str(error))
    if isinstance(error, parameters.UnknownPlaceError):
        return _status("NOT_FOUND")
    return _status("INVALID_REQUEST", str(error))


def _jpeg(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="image/jpeg")


async def _truncated(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole body, send the first half, and hang up."""
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _server_error(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="Internal server error")


async def _too_many(_: web.Request) -> web.StreamResponse:
    return web.Response(status=429, text="Too many requests", headers={"Retry-After": "1"})


async def _html(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<!doctype html><title>Error</title><p>Please try again.", content_type="text/html")


#: Faults that need nothing but the request, on either endpoint.
_FAULTY: dict[Fault | None, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    Fault.SERVER_ERROR: _server_error,
    Fault.TOO_MANY: _too_many,
    Fault.HTML: _html,
}


def create_app(config: EmulatorConfig) -> web.Application:
    """Build the application; its worker processes start with it and end with it."""
    emulator = Emulator(config, DrawingPool(config.worker_count), FaultDice(config.faults, config.seed))

    async def run_pool(_: web.Application) -> AsyncIterator[None]:
        yield
        emulator.pool.close()

    app = web.Application()
    app.router.add_get(IMAGE_PATH, emulator.image)
    app.router.add_get(METADATA_PATH, emulator.metadata)
    app.router.add_get("/health", emulator.health)
    app.router.add_get("/counters", emulator.count)
    app.cleanup_ctx.append(run_pool)
    return app


def serve(config: EmulatorConfig, ready: Callable[[int], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called with the port once requests are answered.

    Raises StorageError when the port is taken or the host is not this machine's.
    """
    asyncio.run(_serve(config, ready))


async def _serve(config: EmulatorConfig, ready: Callable[[int], None] | None) -> None:
    runner = web.AppRunner(create_app(config), access_log=None)
    try:
        await runner.setup()
        await _listen(runner, config)
        port = runner.addresses[0][1]
        log.info("the emulated world answers at http://%s:%d", config.host, port)
        stop = _stop_event()
        if ready is not None:
            ready(port)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, config: EmulatorConfig) -> None:
    try:
        await web.TCPSite(runner, config.host, config.port, shutdown_timeout=2.0).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StorageError(
                f"port {config.port} is in use: stop what runs there, or choose another --port"
            ) from None
        raise StorageError(f"cannot listen on {config.host}:{config.port}: {error.strerror or error}") from None


def _stop_event() -> asyncio.Event:
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
