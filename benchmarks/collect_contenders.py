"""One way to collect, measured in a process of its own; started by benchmarks/collect.py.

    python benchmarks/collect_contenders.py NAME URL IMAGES CONCURRENCY

In: the address of collect_server.py. Out: one line of JSON: images, seconds, CPU seconds (user and system, all
threads), peak memory. Each contender is run once with few images before it is measured: nobody pays for imports,
thread pools or reading a region's boundary.
"""

import asyncio
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import numpy as np
import pandas as pd
import requests

HEADINGS = (0.0, 90.0, 180.0)
SIDE = 640
KEY = "k"
WARM_UP = 192

#: Collects so many images from an address, with so many requests at once, into a folder; returns how many it has.
Contender = Callable[[str, int, int, Path], int]


def bare(url: str, images: int, concurrency: int, _: Path) -> int:
    """An asynchronous loop that throws the bytes away: the limit of the machine, the server included."""

    async def work(session: aiohttp.ClientSession, addresses: Iterator[str]) -> int:
        done = 0
        for address in addresses:
            async with session.get(address) as answer:
                done += bool(await answer.read())
        return done

    async def run() -> int:
        addresses = addresses_of(url, images)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            return sum(await asyncio.gather(*[work(session, addresses) for _ in range(concurrency)]))

    return asyncio.run(run())


def collector(url: str, images: int, concurrency: int, folder: Path) -> int:
    """This project's, with everything on, from a plan to the manifest and the totals; searches included."""
    return collect_pictures(url, images, concurrency, folder, SIDE)


def dummies(url: str, images: int, concurrency: int, folder: Path) -> int:
    """The collector with small pictures, to see how its memory grows."""
    return collect_pictures(url, images, concurrency, folder, 64)


def collect_pictures(url: str, images: int, concurrency: int, folder: Path, side: int) -> int:
    from geolocate.collection import CollectRequest, Pace, collect
    from geolocate.records import View, World
    from geolocate.settings import settings_from_environment
    from geolocate.storage import DataRoot

    settings = settings_from_environment(street_view_url=url, world=World.EMULATED, google_key=KEY)
    request = CollectRequest(
        name="benchmark",
        settings=settings,
        region="uk",
        views=tuple(View(heading, width=side, height=side) for heading in HEADINGS),
        concurrency=concurrency,
        # The rate is what is measured here, not what a provider allows.
        pace=Pace(per_second=100_000.0),
    )
    return collect(DataRoot(folder), request, plan_of(images // len(HEADINGS))).images


def pooled_requests(url: str, images: int, _: int, folder: Path) -> int:
    """64 threads with a pooled session each; writes files and checks nothing."""
    local = threading.local()

    def one(numbered: tuple[int, str]) -> bool:
        number, address = numbered
        if not hasattr(local, "session"):
            local.session = requests.Session()
        answer = local.session.get(address, timeout=30)
        (folder / f"{number}.jpg").write_bytes(answer.content)
        return bool(answer.ok)

    with ThreadPoolExecutor(64) as pool:
        return sum(pool.map(one, enumerate(addresses_of(url, images))))


def google_streetview(url: str, images: int, _: int, folder: Path) -> int:
    """The package of that name: metadata one by one, then pictures one by one."""
    import google_streetview.api

    places = plan_of(-(-images // len(HEADINGS)))[["lat", "lon"]].itertuples(index=False)
    wanted = [
        {"size": f"{SIDE}x{SIDE}", "location": f"{lat},{lon}", "heading": f"{heading:g}", "key": KEY}
        for lat, lon in places
        for heading in HEADINGS
    ]
    results = google_streetview.api.results(
        wanted[:images],
        site_api=f"{url}/maps/api/streetview",
        site_metadata=f"{url}/maps/api/streetview/metadata",
    )
    results.download_links(str(folder))
    return len(list(folder.glob("*.jpg")))


CONTENDERS: dict[str, Contender] = {
    "bare": bare,
    "collector": collector,
    "dummies": dummies,
    "requests": pooled_requests,
    "google-streetview": google_streetview,
}


def addresses_of(url: str, images: int) -> Iterator[str]:
    """The pictures' addresses, as a user of the API would write them."""
    for number in range(images):
        heading = HEADINGS[number % len(HEADINGS)]
        query = f"pano=p{number // len(HEADINGS):021d}&size={SIDE}x{SIDE}&heading={heading:g}&key={KEY}"
        yield f"{url}/maps/api/streetview?{query}"


def plan_of(points: int, shard_size: int = 100) -> pd.DataFrame:
    """A plan of places in southern England, in shards of the usual size."""
    rng = np.random.default_rng(7)
    numbers = np.arange(points)
    return pd.DataFrame(
        {
            "point_id": [f"p{number:07d}" for number in numbers],
            "draw": 0,
            "group_id": [f"g{number // shard_size}" for number in numbers],
            "group_name": "England",
            "lat": 51.3 + rng.uniform(0, 0.6, points).round(6),
            "lon": -1.5 + rng.uniform(0, 1.5, points).round(6),
            "radius_m": 50.0,
            "sample_weight": 1.0,
            "shard": numbers // shard_size,
        }
    )


def main() -> None:
    name, url, images, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    contender = CONTENDERS[name]
    with tempfile.TemporaryDirectory(prefix="geolocate-benchmark-") as folder:
        for part, count in (("warm", min(WARM_UP, images // 4)), ("measured", images)):
            (place := Path(folder) / part).mkdir()
            before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            done = contender(url, count, concurrency, place)
            seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"images": done, "seconds": seconds, "cpu_s": cpu_s, "peak_mb": after.ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
