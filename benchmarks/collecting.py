"""Images a second, side by side in one run: this collector beside the google-streetview package.

    python benchmarks/collecting.py [--latency-ms 50] [--places 40]

Both ask one emulator process, which draws each picture when it is asked for; what the emulator alone can draw is
printed as the ceiling. The package's constructor asks metadata one by one, and so does its download.
"""

import argparse
import asyncio
import platform
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import google_streetview.api
import pandas as pd
import requests
from rich.console import Console
from rich.table import Table

from geolocate.collection import CollectRequest, collect
from geolocate.collection.plan import PlanRequest, make_plan
from geolocate.records import World
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

HEADINGS = ("0", "90", "180")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--places", type=int, default=40)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "geolocate.cli", "emulator", "--port", str(port), "--latency-ms", str(options.latency_ms)]
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        compare(f"http://127.0.0.1:{port}", options)
    finally:
        process.terminate()
        process.wait(timeout=30)


def compare(url: str, options: argparse.Namespace) -> None:
    wait_for(url)
    points = make_plan(PlanRequest(region="uk", top=2, per_place=options.places, draws=1))[["lat", "lon"]]
    theirs, ours = points.iloc[: options.places], PlanRequest(region="uk", top=2, per_place=options.places // 2, seed=1)
    asyncio.run(draw(url, points.iloc[options.places : options.places + 4]))  # the drawing processes are up
    rates = {
        "google-streetview": with_the_package(url, theirs),
        "geolocate": with_the_collector(url, ours),
        "64 bare requests at once": asyncio.run(draw(url, points.iloc[options.places :])),
    }
    table = Table(title=f"{options.latency_ms:g} ms latency, {platform.processor() or platform.machine()}, CPU only")
    for column in ("collector", "images/s", "ratio"):
        table.add_column(column)
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.1f}", f"{rate / rates['google-streetview']:.1f}")
    Console().print(table)


def with_the_package(url: str, points: pd.DataFrame) -> float:
    parameters = [
        {"size": "320x320", "location": f"{lat},{lon}", "heading": heading, "radius": "250", "key": "k"}
        for lat, lon in points.itertuples(index=False)
        for heading in HEADINGS
    ]
    started = time.perf_counter()
    results = google_streetview.api.results(
        parameters,
        site_api=f"{url}/maps/api/streetview",
        site_metadata=f"{url}/maps/api/streetview/metadata",
    )
    with tempfile.TemporaryDirectory() as folder:
        results.download_links(folder)
        images = len(list(Path(folder).glob("*.jpg")))
    return images / (time.perf_counter() - started)


def with_the_collector(url: str, plan: PlanRequest) -> float:
    settings = settings_from_environment(street_view_url=url, world=World.EMULATED, google_key="k")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        request = CollectRequest(name="benchmark", settings=settings, region="uk")
        images = collect(DataRoot(Path(folder)), request, make_plan(plan)).images
    return images / (time.perf_counter() - started)


async def draw(url: str, points: pd.DataFrame) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:

        async def one(lat: float, lon: float, heading: str) -> bool:
            parameters = {
                "location": f"{lat},{lon}",
                "heading": heading,
                "size": "320x320",
                "radius": "250",
                "key": "k",
            }
            async with session.get(f"{url}/maps/api/streetview", params=parameters) as answer:
                return bool(await answer.read())

        started = time.perf_counter()
        rows = [(lat, lon, heading) for lat, lon in points.itertuples(index=False) for heading in HEADINGS]
        answers = await asyncio.gather(*[one(*row) for row in rows])
        return sum(answers) / (time.perf_counter() - started)


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            if requests.get(f"{url}/health", timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise SystemExit("the emulator did not start")


if __name__ == "__main__":
    main()
