"""One emulator for all tests of this folder, in this process, with its real drawing processes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from geolocate.emulator.server import EmulatorConfig, create_app


@contextmanager
def running(config: EmulatorConfig) -> Iterator[str]:
    """Serve in a thread of its own; yields the base URL."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(create_app(config))
    started = threading.Event()
    ports: list[int] = []

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, config.host, config.port).start()
        ports.append(runner.addresses[0][1])
        started.set()

    def run() -> None:
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


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    with running(EmulatorConfig(port=0, processes=1)) as url:
        yield url
