"""What one emulator process answers a second: pictures drawn, pictures repeated, metadata.

    python benchmarks/emulator.py [--pictures 360] [--workers 2]

The pictures are 320 × 320, three headings of panoramas all over the United Kingdom's and the United States' towns and
country. CPU-milliseconds are those of the server and its drawing processes together: beside other work on the machine
they say more than pictures a second do.
"""

import argparse
import asyncio
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import numpy as np
import psutil
from PIL import features
from rich.console import Console
from rich.table import Table

from geolocate.emulator.panoramas import nearest_panorama
from geolocate.emulator.world import WORLD_VERSION

_TOWNS = (
    (51.51, -0.12), (53.48, -2.24), (55.86, -4.25), (54.6, -5.93), (57.1, -4.7), (52.9, 0.1),
    (40.75, -73.98), (41.88, -87.63), (33.45, -112.07), (37.8, -107.7), (42.1, -93.8), (44.4, -122.3),
)  # fmt: skip
_TIMEOUT_S = 120


def panoramas(count: int) -> list[str]:
    """Ids of panoramas around the towns, the same on every run."""
    rng = np.random.default_rng(0)
    found: dict[str, None] = {}
    while len(found) < count:
        lat, lon = _TOWNS[rng.integers(len(_TOWNS))] + rng.uniform(-0.05, 0.05, 2)
        if (panorama := nearest_panorama(0, float(lat), float(lon), 500.0)) is not None:
            found[panorama.pano_id] = None
    return list(found)


async def measure(url: str, processes: list[psutil.Process], count: int) -> list[tuple[str, float, float]]:
    """Ask for everything twice; returns (what, answers a second, CPU ms an answer)."""
    ids = panoramas(-(-count // 3) + 4)
    views = [{"pano": i, "heading": h, "size": "320x320", "key": "any"} for i in ids for h in ("0", "90", "180")]
    rng = np.random.default_rng(1)
    places = [{"location": f"{a},{b}", "key": "any"} for a, b in rng.uniform((51, -2), (54, 0), (count * 3, 2))]
    async with aiohttp.ClientSession(url) as session:

        def ask(path: str) -> Callable[[dict[str, str]], Awaitable[bytes]]:
            async def once(query: dict[str, str]) -> bytes:
                async with session.get(path, params=query) as answer:
                    answer.raise_for_status()
                    return await answer.read()

            return once

        picture, metadata = ask("/maps/api/streetview"), ask("/maps/api/streetview/metadata")
        await _together(picture, views[:12])  # the drawing processes are up, the ground is read
        return [
            ("pictures drawn", *await _timed(picture, views[12 : 12 + count], processes)),
            ("the same again", *await _timed(picture, views[12 : 12 + count], processes)),
            ("metadata", *await _timed(metadata, places, processes)),
        ]


async def _timed(
    ask: Callable[[dict[str, str]], Awaitable[bytes]], queries: list[dict[str, str]], processes: list[psutil.Process]
) -> tuple[float, float]:
    before, started = _cpu_s(processes), time.perf_counter()
    await _together(ask, queries)
    seconds = time.perf_counter() - started
    return len(queries) / seconds, 1000 * (_cpu_s(processes) - before) / len(queries)


async def _together(ask: Callable[[dict[str, str]], Awaitable[bytes]], queries: list[dict[str, str]]) -> None:
    gate = asyncio.Semaphore(32)

    async def one(query: dict[str, str]) -> None:
        async with gate:
            await ask(query)

    await asyncio.gather(*(one(query) for query in queries))


def _cpu_s(processes: list[psutil.Process]) -> float:
    family = {child.pid: child for process in processes for child in (process, *process.children(recursive=True))}
    times = [member.cpu_times() for member in family.values()]
    return sum(each.user + each.system for each in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=360)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "geolocate.cli", "emulator", "--port", str(port), "--processes", str(options.workers)]
    server = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    load = os.getloadavg()[0]
    try:
        _wait_for(port)
        rows = asyncio.run(measure(f"http://127.0.0.1:{port}", [psutil.Process(server.pid)], options.pictures))
    finally:
        server.terminate()
        server.wait(timeout=30)
    _print(rows, f"{options.workers} drawing processes, load before {load:.1f}")


def _wait_for(port: int) -> None:
    ends = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < ends:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit("the emulator did not start")


def _print(rows: list[tuple[str, float, float]], circumstances: str) -> None:
    cores = os.cpu_count() or 1
    table = Table("answers", "a second", f"CPU ms each (server and {cores} cores)", "× drawn")
    for what, rate, cpu_ms in rows:
        table.add_row(what, f"{rate:,.0f}", f"{cpu_ms:.1f}", f"{rate / rows[0][1]:.1f}")
    console = Console(width=100)
    console.print(
        f"world {WORLD_VERSION}, {circumstances}, {platform.processor() or platform.machine()}, {cores} cores,"
    )
    console.print(f"Python {platform.python_version()}, libjpeg-turbo {features.version_feature('libjpeg_turbo')}")
    console.print(table)


if __name__ == "__main__":
    main()
