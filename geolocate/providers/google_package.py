"""The google-streetview package as the client of the two endpoints: opt-in, for those whose work is built on it.

In: a point, or a panorama and a view. Out: the same records as from our own client, under the same keys of the ledger:
nothing is bought twice, whichever of the two asked. The package makes every link and asks all metadata; its own
download tells no status apart, so a picture is fetched from its link by our client. It asks the free metadata once more
for each picture, keeps no connection open and follows redirects: an order of magnitude slower than our client.
"""

import asyncio
import json
import logging
import threading
from functools import partial
from urllib.parse import urlencode, urlsplit

import requests
from google_streetview import api

from geolocate.providers.google import (
    IMAGE_PATH,
    METADATA_PATH,
    TIMEOUT_S,
    Endpoint,
    GoogleStreetView,
)
from geolocate.providers.google_access import ADDRESS, google_endpoint
from geolocate.providers.protocol import UnreachableError
from geolocate.providers.signing import redact, sign
from geolocate.providers.sites import Backing, Site, Source
from geolocate.records import Picture
from geolocate.settings import Settings

#: The package adds a size where there is none; named here, it stands before the signature.
_SIZE = "640x640"


class GooglePackage(GoogleStreetView):
    """Asks through ``google_streetview.api.results``, one request a call."""

    def __init__(self, endpoint: Endpoint, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(endpoint)
        self._timeout_s = timeout_s
        # The package's requests are logged with their whole address, key and signature in it.
        logging.getLogger("urllib3.connectionpool").addFilter(_without_secrets)

    async def _get(self, path: str, parameters: dict[str, str]) -> Picture:
        if path == METADATA_PATH:
            got = await self._results(self._signed({"size": _SIZE, **self._with_key(parameters)}))
            return Picture(json.dumps(got.metadata[0]).encode(), "application/json", 200)
        link = str((await self._results(self._with_key(parameters))).links[0])
        secret = self._endpoint.signing_secret
        if secret:
            parts = urlsplit(link)
            link += f"&signature={sign(f'{parts.path}?{parts.query}', secret)}"
        return await self._send(link)

    def _with_key(self, parameters: dict[str, str]) -> dict[str, str]:
        return {**parameters, "key": self._endpoint.key} if self._endpoint.key else dict(parameters)

    def _signed(self, parameters: dict[str, str]) -> dict[str, str]:
        if not self._endpoint.signing_secret:
            return parameters
        path = urlsplit(self._endpoint.base_url).path.rstrip("/") + METADATA_PATH
        return {**parameters, "signature": sign(f"{path}?{urlencode(parameters)}", self._endpoint.signing_secret)}

    async def _results(self, parameters: dict[str, str]) -> api.results:
        """Let the package make its links and ask the metadata, in a thread; it has no time limit of its own."""
        base = self._endpoint.base_url.rstrip("/")
        ask = partial(api.results, [parameters], site_api=base + IMAGE_PATH, site_metadata=base + METADATA_PATH)
        try:
            return await asyncio.wait_for(_in_a_thread(ask), self._timeout_s)
        except (requests.RequestException, ValueError, TimeoutError) as error:
            # Their messages carry the URL, and with it the key: only the kind of error goes on.
            raise UnreachableError(self._unreachable(error), billable=False) from None


def _without_secrets(record: logging.LogRecord) -> bool:
    """Take keys and signatures out of a line of the log; the line itself is kept."""
    record.msg, record.args = redact(record.getMessage()), ()
    return True


def _in_a_thread(ask: "partial[api.results]") -> "asyncio.Future[api.results]":
    """Run the call in a thread that nobody waits for when the program ends: it may hang for ever."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[api.results] = loop.create_future()

    def tell(result: api.results | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)

    def run() -> None:
        outcome: tuple[api.results | None, Exception | None]
        try:
            outcome = ask(), None
        except (requests.RequestException, ValueError) as error:
            outcome = None, error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, *outcome)

    threading.Thread(target=run, daemon=True).start()
    return done


def _package(settings: Settings, site: Site, _backing: Backing) -> GooglePackage:
    return GooglePackage(google_endpoint(settings, site))


SOURCE = Source(_package, (ADDRESS,), client=GooglePackage)
