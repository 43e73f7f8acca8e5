"""Google's Street View Static API, and whatever speaks its two endpoints.

In: a point, or a panorama and a view. Out: what the metadata tells, and the picture. Metadata is asked first, once a
point and free of charge; pictures are then asked for by panorama ID, because an image answer carries no position.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

import aiohttp
from google_streetview import helpers
from yarl import URL

from geolocate.geography.distances import haversine_km
from geolocate.providers.protocol import RefusedError, ThrottledError, UnreachableError
from geolocate.providers.retry_after import retry_after_s
from geolocate.providers.signing import redact, sign
from geolocate.records import ImageReason, Miss, OutcomeStatus, Panorama, Picture, Rights, SamplePoint, View

IMAGE_PATH = "/maps/api/streetview"
METADATA_PATH = "/maps/api/streetview/metadata"
#: $7.00 per 1,000 pictures, in millionths of a dollar a picture (pay-as-you-go price up to 100,000 a month).
PRICE_MICRO_USD = 7_000
#: A 640 x 640 JPEG is below 0.3 MB; an answer beyond this is no picture.
LARGEST_BODY = 8 * 1024 * 1024
TIMEOUT_S = 30.0
#: Google's own panoramas have 22 characters; other people's are longer or start with this.
_GOOGLE_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_FOREIGN_PREFIX = "CIHM0og"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the two endpoints are, how we identify ourselves there, and which rights its answers carry."""

    base_url: str
    key: str
    rights: Rights
    realm: str
    signing_secret: str | None = None
    images_a_day: int | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r}, realm={self.realm!r})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(text for text in (self.key, self.signing_secret) if text)


def is_this_machine(url: str) -> bool:
    """Say whether the address is on this machine, where a proxy named by the environment could not reach it."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def request_url(endpoint: Endpoint, path: str, parameters: dict[str, str]) -> str:
    """Return the whole URL, key included and, where there is a secret, signed: never to be logged."""
    query = urlencode({**parameters, "key": endpoint.key} if endpoint.key else parameters)
    prefix = urlsplit(endpoint.base_url).path.rstrip("/")
    signed = f"{prefix}{path}?{query}"
    if endpoint.signing_secret:
        signed += f"&signature={sign(signed, endpoint.signing_secret)}"
    return endpoint.base_url.rstrip("/")[: -len(prefix) or None] + signed


def metadata_parameters(point: SamplePoint) -> dict[str, str]:
    """Ask for the panorama nearest to a point, outdoors, within the point's radius; or for the one that it names."""
    if point.source_id:
        return {"pano": point.source_id}
    return {
        "location": f"{point.lat:.7f},{point.lon:.7f}",
        "radius": f"{point.radius_m:.0f}",
        "source": "outdoor",
    }


def image_parameters(source_id: str, views: Sequence[View]) -> list[dict[str, str]]:
    """Return one set of parameters a view, all of one panorama.

    Views that differ in their heading only are expanded by the google-streetview package, which takes several values
    separated by ';' and empties the dict that it is given.
    """
    first = views[0]
    if any(replace(view, heading=first.heading) != first for view in views):
        return [parameters for view in views for parameters in image_parameters(source_id, [view])]
    shared = {
        "pano": source_id,
        "size": f"{first.width}x{first.height}",
        "heading": ";".join(f"{view.heading:g}" for view in views),
        "pitch": f"{first.pitch:g}",
        "fov": f"{first.fov:g}",
        "return_error_code": "true",
    }
    expanded: list[dict[str, str]] = helpers.api_list(dict(shared))
    return expanded


class GoogleStreetView:
    """The asynchronous client; one session for all requests of a run."""

    name = "google"
    source = "outdoor"
    price_micro_usd = PRICE_MICRO_USD
    #: Below 30,000 a minute, with room for whoever else uses the key.
    requests_per_second = 400.0

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None
        self.rights = endpoint.rights
        self.realm = endpoint.realm
        self.images_a_day = endpoint.images_a_day

    async def find(self, point: SamplePoint) -> Panorama | Miss:
        """Ask the free metadata once; see Provider."""
        answer = await self._get(METADATA_PATH, metadata_parameters(point))
        if answer.http_status in (401, 403):
            raise RefusedError(self._refusal(_text(answer)))
        return self._judge(point, self._parse(answer))

    async def fetch(self, panorama: Panorama, view: View) -> Picture:
        """Ask for one picture by panorama ID; see Provider."""
        answer = await self._get(IMAGE_PATH, image_parameters(panorama.source_id, [view])[0])
        if answer.http_status not in (401, 403):
            return answer
        said = _text(answer)
        if "quota" in said.lower():
            # A used-up quota and a bad key share the status; only the text tells them apart.
            raise ThrottledError(
                f"{self._host} answers 403: the quota is used up; run the same command again when it is open"
            )
        raise RefusedError(self._refusal(said))

    async def close(self) -> None:
        """Close the session's connections."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, path: str, parameters: dict[str, str]) -> Picture:
        """Send one request."""
        return await self._send(request_url(self._endpoint, path, parameters))

    async def _send(self, url: str) -> Picture:
        """Send the request; never follow a redirect, which could carry the key to another host."""
        try:
            async with self._open_session().get(URL(url, encoded=True), allow_redirects=False) as response:
                answer = await _read(response)
                wait_s = retry_after_s(response.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError) as error:
            raise UnreachableError(self._unreachable(error), billable=False) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The library's own errors carry the URL, and with it the key: only the kind of error goes on.
            raise UnreachableError(self._unreachable(error)) from None
        if answer.http_status == 429:
            raise ThrottledError(
                f"{self._host} answers 429: the quota is used up; run the same command again when it is open",
                retry_after_s=wait_s,
            )
        if answer.http_status == 503 and wait_s is not None:
            raise ThrottledError(f"{self._host} answers 503 and asks to wait", retry_after_s=wait_s)
        if answer.http_status >= 500 or 300 <= answer.http_status < 400:
            # A gateway's 502 or 504 may hide an answer that Google has counted.
            billable = answer.http_status not in (500, 503)
            raise UnreachableError(f"{self._host} answers {answer.http_status}", billable=billable)
        return answer

    def _open_session(self) -> aiohttp.ClientSession:
        """Open the session inside the running loop, at the first request."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # How many requests are under way is the collection's choice, not the connector's.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                trust_env=not is_this_machine(self._endpoint.base_url),
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(_send_once,),
            )
        return self._session

    @property
    def _host(self) -> str:
        return urlsplit(self._endpoint.base_url).netloc

    def _unreachable(self, error: BaseException) -> str:
        return f"{self._host} cannot be reached ({type(error).__name__})"

    def _refusal(self, message: str) -> str:
        said = redact(message, self._endpoint.secrets).strip()[:200]
        return (
            f"{self._host} refuses the requests ({said or 'no reason given'}): check GOOGLE_MAPS_API_KEY, "
            "GOOGLE_MAPS_SIGNING_SECRET and that billing and the Street View Static API are on for this key"
        )

    def _parse(self, answer: Picture) -> dict[str, object]:
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise UnreachableError(f"{self._host} answers metadata that is not JSON") from None
        if not isinstance(value, dict):
            raise UnreachableError(f"{self._host} answers metadata that is not an object")
        return value

    def _judge(self, point: SamplePoint, answer: dict[str, object]) -> Panorama | Miss:
        """Turn the API's status word into a record, a miss, or the error that says how to go on."""
        status = str(answer.get("status", ""))
        message = redact(str(answer.get("error_message", "")), self._endpoint.secrets)
        if status == "OK":
            return self._accept(point, answer)
        if status in ("ZERO_RESULTS", "NOT_FOUND"):
            return Miss(OutcomeStatus.NO_IMAGERY, status, _gone(point))
        if status == "OVER_QUERY_LIMIT":
            raise ThrottledError(f"{self._host} answers OVER_QUERY_LIMIT: {message}")
        if status == "REQUEST_DENIED":
            raise RefusedError(self._refusal(message))
        if status == "INVALID_REQUEST":
            # Of one point it may be a passing whim, and must not end the others; of all, the throttle stops everything.
            raise UnreachableError(
                f"{self._host} calls the request for {point.lat:.5f}, {point.lon:.5f} invalid ({message[:200]}): "
                "check the plan's positions and radius"
            )
        raise UnreachableError(f"{self._host} answers the status {status[:40] or 'nothing'}")

    def _accept(self, point: SamplePoint, answer: dict[str, object]) -> Panorama | Miss:
        """Check what the API does not promise: the distance, and whose panorama it is."""
        position = answer.get("location")
        source_id = str(answer.get("pano_id", ""))
        try:
            lat, lon = float(position["lat"]), float(position["lng"])  # type: ignore[index]
        except (TypeError, KeyError, ValueError, OverflowError):
            return Miss(OutcomeStatus.NO_IMAGERY, "OK without a position")
        if point.source_id not in ("", source_id):
            # IDs change over time; another one may be of another day and another view.
            return Miss(OutcomeStatus.NO_IMAGERY, f"{point.source_id} is now {source_id[:40]}", _gone(point))
        distance_m = 1000 * float(haversine_km(point.lat, point.lon, lat, lon))
        # The radius is a hint to the API: answers thousands of kilometres away have been seen.
        if not (distance_m <= point.radius_m or (point.source_id and math.isnan(distance_m))):
            return Miss(OutcomeStatus.TOO_FAR, f"{distance_m:.0f} m")
        attribution = str(answer.get("copyright") or "")
        if not _is_google(source_id, attribution):
            return Miss(OutcomeStatus.WRONG_PROVIDER, f"{source_id[:40]} {attribution[:60]}".strip())
        rights = self.rights if self.rights.attribution else replace(self.rights, attribution=attribution)
        return Panorama(self.name, source_id, lat, lon, _captured(answer.get("date")), rights, creator=attribution)


def _captured(date: object) -> str | None:
    """Return the capture month, None where there is none or it is still to come; a day for time zones is let pass."""
    text = str(date or "")
    latest = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    return text if re.fullmatch(r"\d{4}(-\d\d){0,2}", text) and text <= latest[: len(text)] else None


def _gone(point: SamplePoint) -> ImageReason | None:
    """Say of a panorama that was asked for by its ID that it is no longer there."""
    return ImageReason.NOT_FOUND if point.source_id else None


def _is_google(source_id: str, attribution: str) -> bool:
    """Tell Google's own panoramas from user photospheres, which ``source=outdoor`` lets through."""
    mine = _GOOGLE_ID.fullmatch(source_id) and not source_id.startswith(_FOREIGN_PREFIX)
    return bool(mine) and attribution == "© Google"


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the library from sending a request again by itself.

    It does so when a connection that served before breaks; the first request may have been billed, and nobody would
    know of the second (aiohttp issue 10790). Another kind of error than the two that it repeats prevents it.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from None


async def _read(response: aiohttp.ClientResponse) -> Picture:
    """Read the body, and stop where no picture is that large."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_BODY:
            response.close()
            break
    return Picture(bytes(body), response.content_type, response.status)


def _text(answer: Picture) -> str:
    return answer.body[:500].decode("utf-8", "replace") if answer.content_type.startswith("text/") else ""
