"""Mapillary's API v4 over the emulated world: coverage tiles, entities, and thumbnails whose addresses expire.

In: requests with a token. Out: what Mapillary answers. The thumbnails lie under a path of their own, need no token, and
are signed; whoever sends a token there is counted, for another host would have got it.
"""

import asyncio
import hashlib
import hmac
import time
from functools import lru_cache
from typing import Any

from aiohttp import web

from geolocate.emulator import access
from geolocate.emulator.answers import INSTEAD, Answer, jpeg_answer, json_answer, send, text_answer
from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.contributed import ContributedPictures
from geolocate.emulator.fault_names import Fault
from geolocate.emulator.faults import FaultDice
from geolocate.emulator.mapillary_coverage import SERVICE, ZOOM, Photograph, entity_fields, photograph_of, tile_body
from geolocate.emulator.numbering import contribution_by_number
from geolocate.emulator.studio import Studio
from geolocate.emulator.tally import Tally

TILE_PATH = f"/maps/vtp/mly1_public/2/{ZOOM}/{{x:\\d+}}/{{y:\\d+}}"
IMAGES_PATH = "/images"
ENTITY_PATH = "/{id:\\d{15,17}}"
THUMBNAIL_PATH = "/mapillary-thumbnails/{id}/{size}.jpg"
#: Tiles that are answered in a day (UTC).
DAILY_TILES = 50_000
#: Widths in pixels of the thumbnails; none is wider than its original.
_WIDTHS = {"256": 256, "1024": 1024, "2048": 2048}
_MOST_IDS = 100
_THUMBNAILS = {f"thumb_{size}_url": size for size in _WIDTHS}
_COMPUTED = ("computed_compass_angle", "computed_geometry")
#: Faults that a client of this API can meet; wrong keys and used-up quotas it says in its own words.
_FAULTS = frozenset({*INSTEAD, Fault.TRUNCATED, Fault.SLOW, Fault.STALLED, Fault.ENDLESS, Fault.RESET}) - {
    *(Fault.HTTP_400, Fault.HTTP_400_LATER, Fault.HTTP_403, Fault.HTTP_403_LATER),
    # Nothing tells them from a photograph, or a tile, that is not there.
    *(Fault.HTTP_404, Fault.HTTP_404_LATER),
}


class MapillaryService:
    """The state of the endpoints; all of it lives in the one process that answers."""

    def __init__(self, config: EmulatorConfig, studio: Studio, tally: Tally) -> None:
        self._config = config
        self._tally = tally
        self._dice = FaultDice(config.faults, config.seed)
        self._pictures = ContributedPictures(studio)
        self._day, self._tiles_today = 0, 0

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Answer under Mapillary's own paths, and thumbnails under one of their own."""
        router.add_get(TILE_PATH, self.tile)
        router.add_get(IMAGES_PATH, self.images)
        router.add_get(ENTITY_PATH, self.entity)
        router.add_get(THUMBNAIL_PATH, self.thumbnail)

    async def tile(self, request: web.Request) -> web.StreamResponse:
        """Answer one coverage tile; as over there the token may only stand in the URL."""
        self._tally.counters["mapillary_tiles"] += 1
        if refusal := self._refusal(request.query.get("access_token", ""), status=403):
            return await send(request, refusal, None)
        if self._over_quota():
            return await send(request, _error(429, 4, "Application request limit reached"), None)
        fault = await self._fault(request)
        if fault in INSTEAD:
            return await send(request, INSTEAD[fault](), fault)
        x, y = int(request.match_info["x"]), int(request.match_info["y"])
        if max(x, y) >> ZOOM:
            return await send(request, text_answer(404, "no such tile"), None)
        body = await asyncio.to_thread(_tile, self._config.seed, x, y)
        return await send(request, Answer(200, body, "application/x-protobuf"), fault)

    async def images(self, request: web.Request) -> web.StreamResponse:
        """Answer several entities by their ids; those that are gone are left out."""
        ids = request.query.get("image_ids", "").split(",")
        if len(ids) > _MOST_IDS:
            return await send(request, _error(400, 100, f"At most {_MOST_IDS} ids"), None)
        found = [one for text in ids if (one := self._by_id(text))]
        self._tally.counters["mapillary_entities"] += len(ids)
        return await self._told(request, found, lambda told: {"data": told})

    async def entity(self, request: web.Request) -> web.StreamResponse:
        """Answer one entity, or the error that there is none."""
        self._tally.counters["mapillary_entities"] += 1
        one = self._by_id(request.match_info["id"])
        if one is None:
            gone = "Unsupported get request. Object does not exist, or cannot be loaded due to missing permissions."
            return await send(request, self._refusal(_token(request)) or _error(400, 100, gone), None)
        return await self._told(request, [one], lambda told: told[0])

    async def thumbnail(self, request: web.Request) -> web.StreamResponse:
        """Answer a picture to whoever has an address that is signed and has not expired."""
        self._tally.counters["mapillary_thumbnails"] += 1
        self._tally.counters["mapillary_tokens_sent_to_thumbnails"] += bool(_token(request))
        name, size, expires = request.match_info["id"], request.match_info["size"], request.query.get("oe", "")
        signature = self._signature(name, size, expires)
        if not expires.isdecimal() or not hmac.compare_digest(signature, request.query.get("oh", "")):
            return await send(request, text_answer(403, "Bad URL hash"), None)
        if int(expires) < time.time() * 1000:
            self._tally.counters["mapillary_expired"] += 1
            return await send(request, text_answer(403, "URL signature expired"), None)
        fault = await self._fault(request)
        if fault in INSTEAD:
            return await send(request, INSTEAD[fault](), fault)
        one = self._by_id(name)
        if one is None or size not in _WIDTHS:
            return await send(request, text_answer(404, "Not found"), None)
        shot = one.contribution
        return await send(
            request, jpeg_answer(await self._pictures.taken(shot, min(_WIDTHS[size], shot.lens.width))), fault
        )

    async def _told(self, request: web.Request, found: list[Photograph], shape: Any) -> web.StreamResponse:
        """Answer the fields that were asked for, as the API's JSON."""
        self._tally.counters["mapillary_entity_requests"] += 1
        if refusal := self._refusal(_token(request)):
            return await send(request, refusal, None)
        wanted = ["id", *filter(None, request.query.get("fields", "").split(","))]
        fault = await self._fault(request)
        if fault in INSTEAD:
            return await send(request, INSTEAD[fault](), fault)
        told = [entity_fields(one) | self._addresses(one, str(request.url.origin())) for one in found]
        known = {*_COMPUTED, *_THUMBNAILS, *(name for one in told for name in one)}
        if told and (unknown := [name for name in wanted if name not in known]):
            message = f"Tried accessing nonexisting field ({unknown[0]}) on node type (Image)"
            return await send(request, _error(400, 100, message), None)
        answer = shape([{name: one[name] for name in wanted if name in one} for one in told])
        return await send(request, json_answer(answer), fault)

    def _by_id(self, text: str) -> Photograph | None:
        if not text.isdecimal() or len(text) > 17:
            return None
        one = contribution_by_number(self._config.seed, SERVICE, int(text))
        photograph = photograph_of(self._config.seed, one) if one else None
        return None if photograph is None or photograph.deleted else photograph

    def _addresses(self, one: Photograph, origin: str) -> dict[str, str]:
        expires = str(round((time.time() + self._config.thumbnail_seconds) * 1000))
        return {
            name: f"{origin}{THUMBNAIL_PATH.format(id=one.number, size=size)}"
            f"?oh={self._signature(str(one.number), size, expires)}&oe={expires}"
            for name, size in _THUMBNAILS.items()
        }

    def _signature(self, name: str, size: str, expires: str) -> str:
        text = f"{name}/{size}/{expires}"
        return hmac.new(str(self._config.seed).encode(), text.encode(), hashlib.sha256).hexdigest()[:32]

    def _refusal(self, token: str, status: int = 401) -> Answer | None:
        """Return the answer to a request without a token that is allowed; any token is, where none is configured."""
        try:
            access.check_key(token, self._config.keys)
        except access.AccessError:
            self._tally.counters["refused"] += 1
            return _error(status, 190, "Invalid OAuth access token - Cannot parse access token")
        return None

    def _over_quota(self) -> bool:
        """Count a tile for today; say whether it is one too many."""
        today = int(time.time() // 86_400)
        if today != self._day:
            self._day, self._tiles_today = today, 0
        self._tiles_today += 1
        self._tally.counters["mapillary_tiles_today"] = self._tiles_today
        return self._tiles_today > DAILY_TILES

    async def _fault(self, request: web.Request) -> Fault | None:
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)
        # Who asks, and until when an address holds, changes nothing.
        asked = request.path + "?" + request.query.get("image_ids", "")
        fault = self._dice.fault_for(asked, _FAULTS)
        if fault is not None:
            self._tally.fault(fault, asked)
        return fault


def _token(request: web.Request) -> str:
    """Return the token, from the header or from the URL."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind in ("OAuth", "Bearer") else request.query.get("access_token", "")


def _error(status: int, code: int, message: str) -> Answer:
    kind = "OAuthException" if code in (4, 190) else "MLYApiException"
    answer = json_answer({"error": {"message": message, "type": kind, "code": code, "fbtrace_id": "emulated"}})
    return Answer(status, answer.body, answer.content_type)


@lru_cache(maxsize=64)
def _tile(seed: int, x: int, y: int) -> bytes:
    return tile_body(seed, x, y)
