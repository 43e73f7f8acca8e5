"""Panoramax's catalogue over the emulated world: searches as STAC, pictures in three sizes.

In: requests to ``/api``. Out: what a Panoramax instance answers, with the licence and the producer of each picture.
As there, a search by box gives the nearest to its centre first, and a search by place only flat pictures that look at
it. A page that does not hold all says where the next one is.
"""

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web

from geolocate.emulator.answers import INSTEAD, Answer, jpeg_answer, send, text_answer
from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.contributed import ContributedPictures
from geolocate.emulator.contributors import Contribution, contribution_by_bytes, contributions_in_box
from geolocate.emulator.fault_names import Fault
from geolocate.emulator.faults import FaultDice
from geolocate.emulator.parameters import BadRequestError
from geolocate.emulator.studio import Studio
from geolocate.emulator.tally import Tally
from geolocate.geography.distances import haversine_km
from geolocate.geography.hashing import mix

ROOT_PATH = "/api"
SEARCH_PATH = "/api/search"
PICTURE_PATH = "/api/pictures/{id}/{size}.jpg"
SERVICE = "panoramax"
#: Widths in pixels of the sizes; the highest one has the sensor's.
_WIDTHS = {"hd": None, "sd": 2048, "thumb": 500}
#: Pictures a page, unless another number is asked for, and the most that may be.
_PAGE, _MOST = 10, 10_000
_METRES_A_DEGREE = 111_195.0
#: What the accounts of an instance publish under: most under one of two licences, few under none that is known.
_LICENSES = ("CC-BY-SA-4.0",) * 11 + ("etalab-2.0",) * 8 + ("proprietary",)
_FAULTS = frozenset({*INSTEAD, Fault.TRUNCATED, Fault.SLOW, Fault.STALLED, Fault.ENDLESS, Fault.RESET}) - {
    # Wrong keys: there are none here.
    Fault.HTTP_403,
    Fault.HTTP_403_LATER,
}


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the pictures that were found are answered: ``size`` of them, from the ``number``-th page on (from 1)."""

    size: int
    number: int


class PanoramaxService:
    """The state of the endpoints; all of it lives in the one process that answers."""

    def __init__(self, config: EmulatorConfig, studio: Studio, tally: Tally) -> None:
        self._config = config
        self._tally = tally
        self._dice = FaultDice(config.faults, config.seed)
        self._pictures = ContributedPictures(studio)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Answer under the catalogue's own paths."""
        router.add_get(ROOT_PATH, self.root)
        router.add_get(SEARCH_PATH, self.search)
        router.add_get(PICTURE_PATH, self.picture)

    async def root(self, request: web.Request) -> web.StreamResponse:
        """Say what this is and where to search."""
        search = {"rel": "search", "type": "application/geo+json", "href": f"{request.url.origin()}{SEARCH_PATH}"}
        about = {"type": "Catalog", "id": "emulated", "title": "Emulated Panoramax", "stac_version": "1.0.0"}
        return await send(request, _geojson(about | {"description": "No photographs", "links": [search]}), None)

    async def search(self, request: web.Request) -> web.StreamResponse:
        """Answer a search by box, ids or place."""
        self._tally.counters["panoramax_searches"] += 1
        await self._latency()
        try:
            page = _page(request)
            found = self._found(request)
        except BadRequestError as error:
            return await send(request, text_answer(400, str(error)), None)
        fault = self._fault(request)
        if fault in INSTEAD:
            return await send(request, INSTEAD[fault](), fault)
        shown = found[(page.number - 1) * page.size : page.number * page.size]
        links = [{"rel": "root", "href": f"{request.url.origin()}{ROOT_PATH}"}]
        if page.number * page.size < len(found):
            following = request.url.update_query(page=str(page.number + 1))
            links.append({"rel": "next", "type": "application/geo+json", "href": str(following)})
        items = [_item(one, str(request.url.origin())) for one in shown]
        return await send(request, _geojson({"type": "FeatureCollection", "features": items, "links": links}), fault)

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """Answer a picture in one of the sizes."""
        self._tally.counters["panoramax_pictures"] += 1
        await self._latency()
        one = self._by_id(request.match_info["id"])
        size = request.match_info["size"]
        if one is None or size not in _WIDTHS:
            return await send(request, text_answer(404, "Picture doesn't exist"), None)
        fault = self._fault(request)
        if fault in INSTEAD:
            return await send(request, INSTEAD[fault](), fault)
        return await send(request, jpeg_answer(await self._pictures.taken(one, _WIDTHS[size] or one.lens.width)), fault)

    def _fault(self, request: web.Request) -> Fault | None:
        fault = self._dice.fault_for(request.raw_path, _FAULTS)
        if fault is not None:
            self._tally.fault(fault, request.raw_path)
        return fault

    async def _latency(self) -> None:
        if self._config.latency_ms:
            await asyncio.sleep(self._config.latency_ms / 1000)

    def _found(self, request: web.Request) -> list[Contribution]:
        """Return what a search is about, in the catalogue's order."""
        if ids := request.query.get("ids"):
            return [one for one in map(self._by_id, _listed(ids)) if one]
        if place := request.query.get("place_position"):
            return self._looking_at(place, request)
        return self._in_box(_box(request.query.get("bbox", "")))

    def _in_box(self, box: Sequence[float]) -> list[Contribution]:
        west, south, east, north = box
        found = contributions_in_box(self._config.seed, SERVICE, south, west, north, east)
        # Degrees, as the catalogue's database measures; an id settles what stands on one spot.
        lat, lon = (south + north) / 2, (west + east) / 2
        return sorted(found, key=lambda one: (math.hypot(one.lat - lat, one.lon - lon), item_id(one)))

    def _looking_at(self, place: str, request: web.Request) -> list[Contribution]:
        """Return the pictures within a range of metres of a place that see it; 360° ones see all."""
        lon, lat = _numbers(place, ",", 2, "place_position")
        least_m, most_m = _numbers(request.query.get("place_distance", "3-15"), "-", 2, "place_distance")
        (tolerance,) = _numbers(request.query.get("place_fov_tolerance", "30"), ",", 1, "place_fov_tolerance")
        north = min(most_m, 5000.0) / _METRES_A_DEGREE
        east = north / max(math.cos(math.radians(lat)), 0.01)
        box = (lon - east, lat - north, lon + east, lat + north)

        def sees(one: Contribution) -> bool:
            distance_m = 1000 * float(haversine_km(lat, lon, one.lat, one.lon))
            turn = abs((_bearing(one, lat, lon) - one.azimuth + 180) % 360 - 180)
            return least_m <= distance_m <= most_m and (one.whole or turn <= tolerance / 2)

        return [one for one in self._in_box(box) if sees(one)]

    def _by_id(self, text: str) -> Contribution | None:
        try:
            raw = UUID(text).bytes
        except ValueError:
            return None
        return contribution_by_bytes(self._config.seed, SERVICE, raw)


def item_id(one: Contribution) -> str:
    """Return the picture's id, a UUID: its panorama's id with the picture's number."""
    return str(UUID(bytes=one.id_bytes))


def license_of(creator: str) -> str:
    """Return the licence that an account publishes under."""
    return _LICENSES[mix(int.from_bytes(creator.encode())) % len(_LICENSES)]


def _item(one: Contribution, origin: str) -> dict[str, Any]:
    """Describe a picture as a STAC item."""
    item, taken = item_id(one), one.taken.strftime("%Y-%m-%dT%H:%M:%SZ")
    assets = {
        size: {
            "href": f"{origin}{PICTURE_PATH.format(id=item, size=size)}",
            "type": "image/jpeg",
            "roles": [{"hd": "data", "sd": "visual", "thumb": "thumbnail"}[size]],
        }
        for size in _WIDTHS
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item,
        "collection": str(one.sequence),
        "geometry": {"type": "Point", "coordinates": [one.lon, one.lat]},
        "bbox": [one.lon, one.lat, one.lon, one.lat],
        "providers": [{"name": one.creator, "roles": ["producer"]}],
        "properties": {
            "datetime": taken,
            "license": license_of(one.creator),
            "view:azimuth": one.azimuth,
            "pers:interior_orientation": {
                "camera_manufacturer": one.lens.maker,
                "camera_model": one.lens.model,
                "field_of_view": one.lens.fov,
                "sensor_array_dimensions": [one.lens.width, one.lens.height],
            },
            "geovisio:producer": one.creator,
            "geovisio:status": "ready",
            "geovisio:image": assets["hd"]["href"],
            "geovisio:thumbnail": assets["thumb"]["href"],
        },
        "assets": assets,
        "links": [],
    }


def _geojson(value: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(value).encode(), "application/geo+json")


def _page(request: web.Request) -> Page:
    sizes = (("limit", _PAGE, _MOST), ("page", 1, 1_000_000))
    values = []
    for name, usual, most in sizes:
        text = request.query.get(name) or str(usual)
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise BadRequestError(f"Parameter {name} must be either empty or a number between 1 and {most}")
        values.append(int(text))
    return Page(*values)


def _box(text: str) -> Sequence[float]:
    west, south, east, north = _numbers(text, ",", 4, "bbox")
    if not (-90 <= south <= north <= 90 and west <= east and north - south <= 1 and east - west <= 1):
        raise BadRequestError("Parameter bbox must be in format [minX, minY, maxX, maxY], one degree wide at the most")
    return west, south, east, north


def _numbers(text: str, between: str, count: int, name: str) -> list[float]:
    try:
        values = [float(part) for part in text.strip("[]").split(between)]
    except ValueError:
        values = []
    if len(values) != count or not all(map(math.isfinite, values)):
        raise BadRequestError(f"Parameter {name} must hold {count} numbers")
    return values


def _listed(ids: str) -> list[str]:
    """Read ids as a JSON array or with commas between them."""
    return [part.strip().strip('"') for part in ids.strip("[]").split(",")]


def _bearing(one: Contribution, lat: float, lon: float) -> float:
    east = (lon - one.lon) * math.cos(math.radians(lat))
    return math.degrees(math.atan2(east, lat - one.lat)) % 360
