"""Answers before they are sent, and how they are sent when something is to become of them on the way.

In: an answer, and perhaps a fault. Out: HTTP over the client's connection, whole, cut, slow, endless or not at all.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from geolocate.emulator.fault_names import Fault

_JSON, _TEXT = "application/json; charset=utf-8", "text/plain; charset=utf-8"
_PIECES, _SLOW_S = 10, 2.0
#: How long a stalled connection is held, and how many zeros an endless body has, for a client that never hangs up.
_STALL_S, _ENDLESS_BYTES = 600.0, 256 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, not yet sent."""

    status: int
    body: bytes
    content_type: str = _TEXT
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def billed(self) -> bool:
        """Pictures, and the answer that there is none, cost money; refusals and failures do not."""
        return self.status in (200, 404)


def json_answer(value: Mapping[str, Any]) -> Answer:
    """Answer 200 with JSON."""
    return Answer(200, json.dumps(value).encode(), _JSON)


def jpeg_answer(body: bytes) -> Answer:
    """Answer 200 with a picture."""
    return Answer(200, body, "image/jpeg")


def text_answer(status: int, text: str, **headers: str) -> Answer:
    """Answer with plain text; ``retry_after`` stands for ``Retry-After``."""
    return Answer(status, text.encode(), headers={name.replace("_", "-").title(): it for name, it in headers.items()})


def _coded(status: int, text: str, **headers: str) -> Callable[[], Answer]:
    answer = text_answer(status, text, **headers)
    return lambda: answer


def _in_a_second() -> Answer:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    return text_answer(429, "Too many requests", retry_after=moment)


_KEY, _PAGE = "The provided API key is invalid.", "<!doctype html><title>Error</title><p>Please try again."
#: Faults that answer on either endpoint without a look at what is asked for.
INSTEAD: dict[Fault, Callable[[], Answer]] = {
    Fault.SERVER_ERROR: _coded(500, "Internal server error"),
    Fault.TOO_MANY: _coded(429, "Too many requests", retry_after="1"),
    Fault.HTTP_400: _coded(400, "Bad request"),
    Fault.HTTP_400_LATER: _coded(400, "Bad request", retry_after="1"),
    Fault.HTTP_403: _coded(403, _KEY),
    Fault.HTTP_403_LATER: _coded(403, _KEY, retry_after="1"),
    Fault.HTTP_404: _coded(404, "Not found"),
    Fault.HTTP_404_LATER: _coded(404, "Not found", retry_after="1"),
    Fault.HTTP_429: _coded(429, "Too many requests"),
    Fault.HTTP_429_HOURS: _coded(429, "Too many requests", retry_after="21600"),
    Fault.HTTP_429_DATE: _in_a_second,
    Fault.HTTP_500_LATER: _coded(500, "Internal server error", retry_after="1"),
    Fault.HTTP_503: _coded(503, "Service unavailable"),
    Fault.HTTP_503_LATER: _coded(503, "Service unavailable", retry_after="1"),
    # Port 9 of this machine: a client that follows hands its key to another host, and finds nobody.
    Fault.REDIRECT: _coded(302, "Found", location="http://127.0.0.1:9/"),
    Fault.HTML: lambda: Answer(200, _PAGE.encode(), "text/html; charset=utf-8"),
    Fault.EMPTY: lambda: Answer(200, b"", "image/jpeg"),
    Fault.RESET: lambda: Answer(200, b""),
}


async def send(request: web.Request, answer: Answer, fault: Fault | None) -> web.StreamResponse:
    """Send the answer as the fault wants it, or as it is."""
    if fault in _ON_THE_WAY:
        try:
            return await _ON_THE_WAY[fault](request, answer)
        except ConnectionError:  # the client had hung up before the answer began
            return web.Response()
    return web.Response(status=answer.status, body=answer.body, headers=_headers(answer))


def _headers(answer: Answer) -> dict[str, str]:
    return {**answer.headers, "Content-Type": answer.content_type}


@asynccontextmanager
async def _begun(request: web.Request, answer: Answer, **headers: str) -> AsyncIterator[web.StreamResponse]:
    """Send the head of an answer; a client that hangs up while the body follows ends it quietly."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer) | headers)
    await response.prepare(request)
    try:
        yield response
    except ConnectionError:
        response.force_close()


async def _truncated(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Announce the whole body, send the first half, and hang up."""
    async with _begun(request, answer, **_length(answer)) as response:
        await response.write(answer.body[: len(answer.body) // 2])
        _hang_up(request)
    return response


async def _slow(request: web.Request, answer: Answer) -> web.StreamResponse:
    step = -(-len(answer.body) // _PIECES)
    async with _begun(request, answer, **_length(answer)) as response:
        for start in range(0, len(answer.body), step):
            await asyncio.sleep(_SLOW_S / _PIECES)
            await response.write(answer.body[start : start + step])
    return response


async def _stalled(request: web.Request, answer: Answer) -> web.StreamResponse:
    async with _begun(request, answer, **_length(answer)) as response:
        await response.write(answer.body[: len(answer.body) // 2])
        ends = asyncio.get_running_loop().time() + _STALL_S
        while request.transport is not None and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(0.1)
        _hang_up(request)
    return response


async def _endless(request: web.Request, answer: Answer) -> web.StreamResponse:
    async with _begun(request, answer) as response:
        await response.write(answer.body)
        zeros = bytes(1 << 16)
        for _ in range(_ENDLESS_BYTES // len(zeros)):
            await response.write(zeros)
        _hang_up(request)
    return response


async def _reset(request: web.Request, _: Answer) -> web.StreamResponse:
    """Leave the connection with RST instead of FIN: what the client then has is an error, not an end."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _wrong_date(_: web.Request, answer: Answer) -> web.StreamResponse:
    dated = replace(answer, headers={**answer.headers, "Date": "Thu, 01 Jan 1970 00:00:00 GMT"})
    return web.Response(status=dated.status, body=dated.body, headers=_headers(dated))


def _length(answer: Answer) -> dict[str, str]:
    return {"Content-Length": str(len(answer.body))}


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


_ON_THE_WAY: dict[Fault | None, Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]] = {
    Fault.TRUNCATED: _truncated,
    Fault.SLOW: _slow,
    Fault.STALLED: _stalled,
    Fault.ENDLESS: _endless,
    Fault.RESET: _reset,
    Fault.WRONG_DATE: _wrong_date,
}
