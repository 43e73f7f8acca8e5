"""A small real server that speaks the two endpoints, and misbehaves on request.

The emulator draws a world; this one answers at once, counts what it was asked, and lets a test decide single answers.
"""

import asyncio
import hashlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
from aiohttp import web
from PIL import Image

Hook = Callable[[web.Request], web.StreamResponse | None]


def jpeg(size: int = 64, seed: int = 0, quality: int = 85) -> bytes:
    """A picture with as many colours as a street has."""
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((size, size)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


street = lru_cache(maxsize=256)(jpeg)


def flat_jpeg(colour: tuple[int, int, int], size: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def pano_at(lat: float, lon: float) -> str:
    """22 characters that stand for a place; points within about 10 m share it."""
    return hashlib.sha256(f"{lat:.4f},{lon:.4f}".encode()).hexdigest()[:22]


@dataclass
class StandIn:
    """The server's state; ``on_metadata`` and ``on_image`` may answer instead of it."""

    url: str = ""
    metadata: list[dict[str, str]] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    on_metadata: Hook = lambda request: None
    on_image: Hook = lambda request: None
    most_at_once: int = 0
    delay_s: float = 0.0
    billed: int = 0
    _now: int = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/maps/api/streetview/metadata", self.answer_metadata)
        app.router.add_get("/maps/api/streetview", self.answer_image)
        app.router.add_get("/health", self.answer_health)
        app.router.add_get("/counters", self.answer_counters)
        return app

    @property
    def requests(self) -> int:
        return len(self.metadata) + len(self.images)

    async def answer_health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "world": "emulated", "world_version": "test"})

    async def answer_counters(self, _: web.Request) -> web.Response:
        return web.json_response({"billed": self.billed})

    async def answer_metadata(self, request: web.Request) -> web.StreamResponse:
        self.metadata.append(dict(request.query))
        self.paths.append(request.raw_path)
        lat, lon = (float(part) for part in request.query.get("location", "0,0").split(","))
        return self.on_metadata(request) or web.json_response(
            {
                "status": "OK",
                "pano_id": pano_at(lat, lon),
                "location": {"lat": round(lat, 4), "lng": round(lon, 4)},
                "date": "2021-07",
                "copyright": "© Google",
            }
        )

    async def answer_image(self, request: web.Request) -> web.StreamResponse:
        self.images.append(dict(request.query))
        self.paths.append(request.raw_path)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(self.delay_s)
            size = int(request.query["size"].split("x")[0])
            seed = int(hashlib.sha256(request.raw_path.encode()).hexdigest()[:8], 16)
            answer = self.on_image(request) or web.Response(body=street(size, seed % 64), content_type="image/jpeg")
            self.billed += answer.status in (200, 404)
            return answer
        finally:
            self._now -= 1


@contextmanager
def running_stand_in() -> Iterator[StandIn]:
    """Run the server in a thread of this process, on a free port."""
    server = StandIn()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


def plan_of(points: int, shards: int = 1, draws: int = 3, spread: float = 0.1) -> pd.DataFrame:
    """A plan of points around London, drawn from a seed."""
    rng = np.random.default_rng(7)
    rows = [
        {
            "point_id": f"p{point:04d}",
            "draw": draw,
            "group_id": f"g{point * shards // points}",
            "group_name": "London",
            "lat": round(51.5 + rng.uniform(-spread, spread), 6),
            "lon": round(-0.1 + rng.uniform(-spread, spread), 6),
            "radius_m": 50.0,
            "sample_weight": 1.0,
            "shard": point * shards // points,
        }
        for point in range(points)
        for draw in range(draws)
    ]
    return pd.DataFrame(rows)


if __name__ == "__main__":
    web.run_app(StandIn().app(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
