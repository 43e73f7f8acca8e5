"""Serve the emulated world over HTTP.

In: an ``EmulatorConfig``. Out: the endpoints, and ``/health``, ``/counters`` and ``/faults`` besides.
"""

import asyncio
import errno
import logging
import signal
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from geolocate.emulator.config import DEFAULT_PORT, EmulatorConfig
from geolocate.emulator.mapillary import MapillaryService
from geolocate.emulator.panoramax import PanoramaxService
from geolocate.emulator.street_view import IMAGE_PATH, METADATA_PATH, StreetView
from geolocate.emulator.studio import Studio
from geolocate.emulator.tally import Tally
from geolocate.errors import StorageError

__all__ = ["DEFAULT_PORT", "IMAGE_PATH", "METADATA_PATH", "EmulatorConfig", "create_app", "serve"]
log = logging.getLogger(__name__)


def create_app(config: EmulatorConfig) -> web.Application:
    """Build the application; its worker processes start with it and end with it."""
    tally = Tally()
    studio = Studio(config, tally)

    async def run_studio(_: web.Application) -> AsyncIterator[None]:
        yield
        studio.close()

    async def health(_: web.Request) -> web.Response:
        """Say that the server answers, and which world it shows."""
        about: dict[str, object] = {
            "status": "ok",
            "world": "emulated",
            "world_version": config.world_version,
            "seed": config.seed,
        }
        about |= {"today": config.today} if config.today else {}
        return web.json_response(about)

    async def count(_: web.Request) -> web.Response:
        """Say what was asked since the start."""
        return web.json_response(tally.totals())

    async def faults(_: web.Request) -> web.Response:
        """Name every fault since the start, and the request that it befell, without key and signature."""
        return web.json_response(tally.struck)

    app = web.Application()
    StreetView(config, studio, tally).add_routes(app.router)
    PanoramaxService(config, studio, tally).add_routes(app.router)
    MapillaryService(config, studio, tally).add_routes(app.router)
    app.router.add_get("/health", health)
    app.router.add_get("/counters", count)
    app.router.add_get("/faults", faults)
    app.cleanup_ctx.append(run_studio)
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
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
