"""A small fast server of prepared pictures: in the benchmark of the collector it is not the server that is measured.

    python benchmarks/collect_server.py PORT [--latency-ms 50] [--side 640] [--bytes 40000]

Answers Google's two endpoints and /health. Every place has a panorama. Each picture is one of a few dozen JPEGs with
noise of all scales, to which a comment with the request's own number is added: no two bodies are the same, and the
store holds as many files as pictures were asked for.
"""

import argparse
import asyncio
import hashlib
import io
import itertools
import json
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

PICTURES = 36
_IMAGE, _METADATA = b"GET /maps/api/streetview?", b"GET /maps/api/streetview/metadata?"
_HEALTH = json.dumps({"status": "ok", "world": "emulated", "world_version": "benchmark"}).encode()


def scene(seed: int, side: int, wanted_bytes: int) -> bytes:
    """A JPEG of so many pixels a side and about so many bytes: large shapes, and finer ones with less contrast."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((side, side, 3))
    for cells in (4, 16, 64, 160):
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
        pixels += (np.asarray(layer, float) - 128) * (4 / cells) ** 0.35
    picture = Image.fromarray((pixels * 0.6 + 128).clip(0, 255).astype(np.uint8))
    return min(
        (encoded(picture, quality) for quality in range(20, 96, 3)), key=lambda body: abs(len(body) - wanted_bytes)
    )


def encoded(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


class Pictures:
    """The prepared pictures; ``asked`` counts what the server was asked for."""

    def __init__(self, side: int, wanted_bytes: int) -> None:
        self.bodies = [scene(seed, side, wanted_bytes)[2:] for seed in range(PICTURES)]
        self.asked = {"metadata": 0, "images": 0}
        self._numbers = itertools.count()

    def image(self) -> list[bytes]:
        """The parts of the next answer: head, start of image with a comment of its own, the rest of a picture."""
        number = next(self._numbers)
        self.asked["images"] += 1
        body = self.bodies[number % PICTURES]
        start = b"\xff\xd8\xff\xfe\x00\x0e" + b"%012d" % number
        return [head(len(start) + len(body), b"image/jpeg"), start, body]

    def metadata(self, target: bytes) -> list[bytes]:
        """The panorama at the very place that was asked for."""
        self.asked["metadata"] += 1
        location = parse_qs(urlsplit(target.decode()).query)["location"][0]
        lat, lng = (float(part) for part in location.split(","))
        answer = {
            "status": "OK",
            "pano_id": hashlib.sha256(location.encode()).hexdigest()[:22],
            "location": {"lat": lat, "lng": lng},
            "date": "2021-07",
            "copyright": "© Google",
        }
        body = json.dumps(answer).encode()
        return [head(len(body), b"application/json"), body]


def head(length: int, content_type: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (content_type, length)


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests on it are answered one after the other, each after the latency."""

    def __init__(self, pictures: Pictures, latency_s: float) -> None:
        self._pictures = pictures
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take up each whole request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            request, self._received = self._received[:end], self._received[end + 4 :]
            asyncio.get_running_loop().call_later(self._latency_s, self._answer, request)

    def _answer(self, request: bytes) -> None:
        if self._transport.is_closing():
            return
        if request.startswith(_IMAGE):
            parts = self._pictures.image()
        elif request.startswith(_METADATA):
            parts = self._pictures.metadata(request.split(b" ", 2)[1])
        else:
            counted = request.startswith(b"GET /counters")
            body = json.dumps(self._pictures.asked).encode() if counted else _HEALTH
            parts = [head(len(body), b"application/json"), body]
        self._transport.writelines(parts)


async def serve(options: argparse.Namespace) -> None:
    pictures = Pictures(options.side, options.bytes)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(pictures, options.latency_ms / 1000), "127.0.0.1", options.port, backlog=1024
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--bytes", type=int, default=40_000)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
