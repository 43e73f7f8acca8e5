"""Google's two Street View endpoints over the emulated world, and the faults that can befall them.

In: requests. Out: HTTP as the Street View Static API answers it, and every billed answer counted as it is decided: a
client that hangs up has been answered all the same.
"""

import asyncio
import math
import time
from collections.abc import Set
from dataclasses import replace

from aiohttp import web

from geolocate.emulator import access, parameters, pictures
from geolocate.emulator.answers import INSTEAD, Answer, jpeg_answer, json_answer, send, text_answer
from geolocate.emulator.camera import Camera
from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.fault_names import HARMLESS, IMAGE_FAULTS, METADATA_FAULTS, Fault
from geolocate.emulator.faults import FaultDice, unsigned
from geolocate.emulator.identifiers import as_photosphere
from geolocate.emulator.panoramas import EmulatedPanorama, nearest_panorama, panorama_by_id
from geolocate.emulator.parameters import PlaceRequest, ViewRequest
from geolocate.emulator.studio import Studio
from geolocate.emulator.tally import Tally
from geolocate.errors import ProviderError

IMAGE_PATH = "/maps/api/streetview"
METADATA_PATH = "/maps/api/streetview/metadata"
#: Where an answer goes that ignores the radius: metadata in Seattle was once answered from 3,498 km away.
_FAR_DEGREES = 2.0
#: Points of a cell this wide, about 100 m, share a panorama when they are to.
_SHARED_DEGREES = 0.001
_FUTURE_YEARS = 60
_OVER_QUOTA = "You have exceeded your daily request quota for this API."
_NO_IMAGERY = (Fault.ZERO_RESULTS, Fault.NOT_FOUND)
#: What the API's statuses say, and what the image endpoint answers in their stead.
_STATUSES: dict[Fault | None, tuple[str, str]] = {
    Fault.ZERO_RESULTS: ("ZERO_RESULTS", ""),
    Fault.NOT_FOUND: ("NOT_FOUND", ""),
    Fault.OVER_QUERY_LIMIT: ("OVER_QUERY_LIMIT", _OVER_QUOTA),
    Fault.REQUEST_DENIED: ("REQUEST_DENIED", "The provided API key is invalid."),
    Fault.INVALID_REQUEST: ("INVALID_REQUEST", "Invalid request."),
    Fault.UNKNOWN_ERROR: ("UNKNOWN_ERROR", "The request could not be processed."),
}
_CODES: dict[Fault | None, int] = {
    Fault.OVER_QUERY_LIMIT: 403,
    Fault.REQUEST_DENIED: 403,
    Fault.INVALID_REQUEST: 400,
    Fault.UNKNOWN_ERROR: 500,
}


class StreetView:
    """The state of the two endpoints; all of it lives in the one process that answers."""

    def __init__(self, config: EmulatorConfig, studio: Studio, tally: Tally) -> None:
        self._config = config
        self._studio = studio
        self._tally = tally
        self._months = config.months_later
        self._dice = FaultDice(config.faults, config.seed)
        self._quota = access.Quota(config.requests_per_minute, config.unsigned_per_day)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Answer under Google's own paths."""
        router.add_get(IMAGE_PATH, self.image)
        router.add_get(METADATA_PATH, self.metadata)

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """Answer free metadata: always JSON with status 200, unless a fault befalls it."""
        self._tally.counters["metadata"] += 1
        await self._latency()
        try:
            self._check_access(request)
            place = parameters.read_place(request.query)
        except ProviderError as error:
            return await send(request, _metadata_refusal(error), None)
        fault = self._fault(request, METADATA_FAULTS - _ONLY_BY_POSITION if place.pano_id else METADATA_FAULTS)
        return await send(request, self._metadata(place, fault), fault)

    def _metadata(self, place: PlaceRequest, fault: Fault | None) -> Answer:
        if fault in INSTEAD:
            return INSTEAD[fault]()
        if fault in _STATUSES:
            return _status(*_STATUSES[fault])
        panorama = self._find(_misplaced(place, fault))
        if panorama is None:
            return _status("ZERO_RESULTS")
        answer = json_answer(_described(panorama, fault))
        return replace(answer, content_type="text/plain; charset=utf-8") if fault is Fault.WRONG_TYPE else answer

    async def image(self, request: web.Request) -> web.StreamResponse:
        """Answer a picture: drawn, grey, or an error code."""
        self._tally.counters["image_requests"] += 1
        await self._latency()
        try:
            self._check_access(request)
            view = parameters.read_view(request.query)
            self._quota.spend("signature" in request.query, time.time())
            place: PlaceRequest | None = parameters.read_place(request.query)
        except access.QuotaError as error:
            self._tally.counters["refused"] += 1
            return await send(request, _over_quota(error), None)
        except access.AccessError as error:
            return await send(request, text_answer(403, str(error)), None)
        except parameters.BadRequestError as error:
            return await send(request, text_answer(400, str(error)), None)
        except parameters.UnknownPlaceError:
            place = None
        fault = self._fault(request, IMAGE_FAULTS)
        answer = await self._image(place, view, fault)
        if answer.billed:
            self._tally.bill(IMAGE_PATH, str(fault) if fault and fault not in HARMLESS else None)
        return await send(request, answer, fault)

    async def _image(self, place: PlaceRequest | None, view: ViewRequest, fault: Fault | None) -> Answer:
        if fault in INSTEAD:
            return INSTEAD[fault]()
        if fault in _CODES:
            return text_answer(_CODES[fault], _STATUSES[fault][1])
        if fault is Fault.GREY:
            return jpeg_answer(pictures.grey_picture(view.width, view.height))
        if fault is Fault.ERROR_PICTURE:
            return jpeg_answer(pictures.error_picture(view.width, view.height))
        panorama = self._find(place) if place and fault not in _NO_IMAGERY else None
        if place is None or panorama is None:
            return self._without_imagery(view)
        if fault is Fault.WRONG_SIZE:
            view = replace(view, width=max(1, view.width // 2), height=max(1, view.height // 2))
        answer = jpeg_answer(await self._studio.photograph(panorama, _camera(panorama, place, view)))
        self._tally.counters["images"] += 1
        return replace(answer, content_type="application/octet-stream") if fault is Fault.WRONG_TYPE else answer

    def _check_access(self, request: web.Request) -> None:
        try:
            access.check_key(request.query.get("key", ""), self._config.keys)
            may_be_unsigned = self._config.unsigned_per_day is not None and "signature" not in request.query
            if self._config.signing_secret is not None and not may_be_unsigned:
                access.check_signature(request.raw_path, self._config.signing_secret)
        except access.AccessError:
            self._tally.counters["refused"] += 1
            raise

    async def _latency(self) -> None:
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)

    def _fault(self, request: web.Request, possible: Set[Fault]) -> Fault | None:
        fault = self._dice.fault_for(request.raw_path, possible)
        if fault is not None:
            self._tally.fault(fault, unsigned(request.raw_path))
        return fault

    def _find(self, place: PlaceRequest) -> EmulatedPanorama | None:
        if place.pano_id is not None:
            return panorama_by_id(self._config.seed, place.pano_id, self._months)
        return nearest_panorama(self._config.seed, place.lat, place.lon, place.radius_m, self._months)

    def _without_imagery(self, view: ViewRequest) -> Answer:
        self._tally.counters["no_imagery"] += 1
        if view.return_error_code:
            return text_answer(404, "")
        return jpeg_answer(pictures.grey_picture(view.width, view.height))


#: Whoever asks by id is not answered with another panorama.
_ONLY_BY_POSITION = frozenset({Fault.FAR, Fault.SHARED})


def _misplaced(place: PlaceRequest, fault: Fault | None) -> PlaceRequest:
    """Look elsewhere than was asked for."""
    if fault is Fault.FAR:
        return replace(place, lat=place.lat + _FAR_DEGREES, radius_m=5000.0)
    if fault is Fault.SHARED:
        lat, lon = (math.floor(value / _SHARED_DEGREES + 0.5) * _SHARED_DEGREES for value in (place.lat, place.lon))
        return replace(place, lat=lat, lon=lon)
    return place


def _described(panorama: EmulatedPanorama, fault: Fault | None) -> dict[str, object]:
    """Return the fields of the metadata, with what the fault does to them."""
    if fault is Fault.THIRD_PARTY:
        panorama = replace(panorama, pano_id=as_photosphere(panorama.pano_id), copyright="© Alex Morgan")
    if fault is Fault.FUTURE_DATE:
        panorama = replace(panorama, date=f"{int(panorama.date[:4]) + _FUTURE_YEARS}{panorama.date[4:]}")
    fields: dict[str, object] = {
        "copyright": panorama.copyright,
        "date": panorama.date,
        "location": {"lat": panorama.lat, "lng": panorama.lon},
        "pano_id": panorama.pano_id,
        "status": "OK",
    }
    missing = {Fault.NO_POSITION: "location", Fault.UNDATED: "date"}.get(fault) if fault else None
    return {name: value for name, value in fields.items() if name != missing}


def _camera(panorama: EmulatedPanorama, place: PlaceRequest, view: ViewRequest) -> Camera:
    heading = view.heading if view.heading is not None else _heading_to(panorama, place)
    return Camera(heading % 360, view.pitch, view.fov, view.width, view.height)


def _heading_to(panorama: EmulatedPanorama, place: PlaceRequest) -> float:
    """Look from the panorama at the location that was asked for; along the road when asked by id."""
    if place.pano_id is not None:
        return panorama.road_bearing
    east = (place.lon - panorama.lon) * math.cos(math.radians(panorama.lat))
    return math.degrees(math.atan2(east, place.lat - panorama.lat)) % 360


def _status(status: str, message: str = "") -> Answer:
    return json_answer({"error_message": message, "status": status} if message else {"status": status})


def _over_quota(error: access.QuotaError) -> Answer:
    if error.retry_after_s is None:
        return text_answer(403, str(error))
    return text_answer(429, str(error), retry_after=str(error.retry_after_s))


def _metadata_refusal(error: ProviderError) -> Answer:
    if isinstance(error, access.AccessError):
        return _status("REQUEST_DENIED", str(error))
    if isinstance(error, parameters.UnknownPlaceError):
        return _status("NOT_FOUND")
    return _status("INVALID_REQUEST", str(error))
