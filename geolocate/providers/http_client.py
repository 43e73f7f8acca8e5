"""Ask open endpoints over HTTP: no key, no cookie, and each kind of failure as the collection knows it.

In: a URL without secrets. Out: the body with its type and status, or the error that says how to go on.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from geolocate.providers.protocol import RefusedError, ThrottledError, UnreachableError
from geolocate.providers.retry_after import retry_after_s
from geolocate.records import Picture

TIMEOUT_S = 30.0
#: Who asks; open services want to know.
_USER_AGENT = "street-geolocate"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


class HttpClient:
    """One session for all requests of a provider; opened at the first request, inside the running loop."""

    def __init__(self) -> None:
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def get(self, url: str, *, largest: int, redirects: int = 0) -> Picture:
        """Send one request and read at most ``largest`` bytes of the answer.

        ``redirects`` is how many of them are followed, to http and https alone. Raises UnreachableError, ThrottledError
        where everybody is to wait, and RefusedError for 401 and 403.
        """
        answer, wait_s = await self.send(url, largest=largest, redirects=redirects)
        return _judged(urlsplit(url).netloc, answer, wait_s)

    async def send(
        self, url: str, *, largest: int, redirects: int = 0, headers: Mapping[str, str] | None = None
    ) -> tuple[Picture, float | None]:
        """Send one request, and return the answer whatever its status, with the seconds that it asks to wait.

        Raises UnreachableError, which names the host only: neither path nor query nor header.
        """
        host = urlsplit(url).netloc
        if urlsplit(url).scheme not in ("http", "https") or not host:
            raise UnreachableError("an address of another scheme than http and https is not followed", billable=False)
        try:
            async with self._session(url).get(
                URL(url, encoded=True),
                allow_redirects=redirects > 0,
                max_redirects=max(redirects, 1),
                headers=headers,
            ) as response:
                answer = await _read(response, largest)
                wait_s = retry_after_s(response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UnreachableError(f"{host} cannot be reached ({type(error).__name__})", billable=False) from None
        return answer, wait_s

    async def close(self) -> None:
        """Give connections back."""
        for session in self._sessions.values():
            await session.close()

    def _session(self, url: str) -> aiohttp.ClientSession:
        # A proxy that the environment names could not reach this machine.
        here = urlsplit(url).hostname in _THIS_MACHINE
        if here not in self._sessions:
            self._sessions[here] = aiohttp.ClientSession(
                # How many requests are under way is the collection's choice, not the connector's.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                headers={"User-Agent": _USER_AGENT},
                trust_env=not here,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._sessions[here]


def _judged(host: str, answer: Picture, wait_s: float | None) -> Picture:
    """Let an answer pass, or raise what its status means."""
    status = answer.http_status
    if status == 429 or (status == 503 and wait_s is not None):
        raise ThrottledError(f"{host} answers {status}: too many requests", retry_after_s=wait_s)
    if status in (401, 403):
        raise RefusedError(f"{host} answers {status}: it refuses the requests")
    if status == 400:
        said = " ".join(answer.body[:200].decode("utf-8", "replace").split())
        raise UnreachableError(f"{host} calls a request invalid ({said or 'no reason given'})", billable=False)
    if status >= 500 or 300 <= status < 400:
        raise UnreachableError(f"{host} answers {status}", billable=False)
    return answer


async def _read(response: aiohttp.ClientResponse, largest: int) -> Picture:
    """Read the body, and stop where no answer is that large."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > largest:
            response.close()
            break
    return Picture(bytes(body), response.content_type, response.status)
