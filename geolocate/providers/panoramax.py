"""Panoramax: open street-level pictures of many instances behind one catalogue, which speaks STAC.

In: a point, or a panorama and a view. Out: the nearest place, with the licence and the creator that each picture names,
and the picture. There is no key. One search a point is enough: the catalogue sorts a box by the distance to its
centre, so the first page holds the nearest pictures. (Its search by place leaves out flat pictures that look away from
the place, which is why it is not used.) Pictures lie on the instances' own hosts.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import numpy as np

from geolocate.geography.distances import haversine_km
from geolocate.providers.http_client import HttpClient
from geolocate.providers.panoramax_items import NAME, Item, list_in, panorama_of, position_of
from geolocate.providers.places import PLACE_M, Sighting, pictures_of_place
from geolocate.providers.protocol import RefusedError, UnreachableError
from geolocate.providers.sites import Address, Backing, Site, Source
from geolocate.providers.spheres import Spheres
from geolocate.records import Miss, OutcomeStatus, Panorama, Picture, Rights, SamplePoint, View, World
from geolocate.settings import Settings

ADDRESS = Address("panoramax_url", "GEOLOCATE_PANORAMAX_URL", ("panoramax.xyz",))
#: The edition of the federation's licences that pictures were judged by.
TERMS = "panoramax-2026"
SEARCH_PATH = "/api/search"
#: Pictures a page, from the first to the last attempt to see what is nearest; the catalogue gives 10,000 at the most.
_PAGES = (100, 1_000, 10_000)
#: Pages that are followed in one search, should the catalogue give fewer pictures a page than asked for.
_MOST_PAGES = 20
_LARGEST_ANSWER = 256 * 1024 * 1024
_LARGEST_PICTURE = 64 * 1024 * 1024
_REDIRECTS = 5
_DEGREE_M = 111_195.0


class Panoramax:
    """The asynchronous client; one session for all requests of a run.

    ``rights`` hold for all pictures, but for the licence and the creator, which each picture names itself.
    """

    name = NAME
    source = "licensed"
    price_micro_usd = 0
    #: Nothing is said about how fast one may ask; volunteers run it.
    requests_per_second = 10.0
    images_a_day: int | None = None

    def __init__(self, base_url: str, rights: Rights, realm: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = HttpClient()
        self._spheres = Spheres(self._picture)
        self.rights = rights
        self.realm = realm

    async def find(self, point: SamplePoint) -> Panorama | Miss:
        """Search around the point, or look up the picture that it names; see Provider."""
        if point.source_id:
            return await self._by_id(point.source_id)
        around = _Around(point, self.rights)
        for size in _PAGES:
            around.forget()
            if await self._search(around, size):
                break
        return around.place() or around.miss()

    async def fetch(self, panorama: Panorama, view: View) -> Picture:
        """Fetch a flat picture, or cut a view from a 360° one, which is fetched once for all its views."""
        if panorama.native:
            return await self._picture(panorama)
        return await self._spheres.cut(panorama, view)

    async def close(self) -> None:
        """Close the session's connections."""
        await self._spheres.close()
        await self._http.close()

    async def _by_id(self, source_id: str) -> Panorama | Miss:
        answer = await self._json(f"{self._base_url}{SEARCH_PATH}?{urlencode({'ids': source_id})}")
        items = [item for item in list_in(answer, "features") if isinstance(item, dict) and item.get("id") == source_id]
        if not items:
            return Miss(OutcomeStatus.NO_IMAGERY, "no such picture")
        judged = panorama_of(items[0], self.rights)
        return judged if isinstance(judged, Panorama) else Miss(OutcomeStatus.WRONG_PROVIDER, judged)

    async def _search(self, around: "_Around", size: int) -> bool:
        """Read pages of ``size`` pictures until the nearest place is certain; say whether it is."""
        url: str | None = f"{self._base_url}{SEARCH_PATH}?{urlencode(_box(around.point, size))}"
        for _ in range(_MOST_PAGES):
            if url is None:
                break
            answer = await self._json(url)
            items = [item for item in list_in(answer, "features") if isinstance(item, dict)]
            around.add(items)
            url = self._next_page(answer, url) if items else None
            if (url is None and len(items) < size) or around.certain():
                return True
        return False

    def _next_page(self, answer: dict[str, Any], url: str) -> str | None:
        """Return where the catalogue says that it goes on; never on another host."""
        links = [link for link in list_in(answer, "links") if isinstance(link, dict)]
        following = next((link for link in links if link.get("rel") == "next" and link.get("href")), None)
        if following is None or str(following.get("method", "GET")).upper() != "GET":
            return None
        address = urljoin(url, str(following["href"]))
        if urlsplit(address)[:2] != urlsplit(url)[:2]:
            raise UnreachableError(f"{urlsplit(url).netloc} names a next page on another host: it is not followed")
        return address

    async def _json(self, url: str) -> dict[str, Any]:
        host = urlsplit(url).netloc
        answer = await self._http.get(url, largest=_LARGEST_ANSWER)
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise UnreachableError(f"{host} answers a search with {answer.http_status} and no JSON") from None
        if answer.http_status != 200 or not isinstance(value, dict):
            raise UnreachableError(f"{host} answers a search with {answer.http_status} and no collection of features")
        return value

    async def _picture(self, panorama: Panorama) -> Picture:
        """Fetch the picture of one item from wherever it lies."""
        try:
            return await self._http.get(panorama.address or "", largest=_LARGEST_PICTURE, redirects=_REDIRECTS)
        except RefusedError as error:
            # One host's refusal neither says that the picture is gone nor ends the run for all other hosts.
            raise UnreachableError(str(error), billable=False) from None


def _box(point: SamplePoint, size: int) -> dict[str, str]:
    """Ask for the box around the circle: west, south, east, north."""
    north = point.radius_m / _DEGREE_M
    east = north / max(math.cos(math.radians(point.lat)), 0.01)
    sides = (point.lon - east, point.lat - north, point.lon + east, point.lat + north)
    return {"bbox": ",".join(f"{side:.7f}" for side in sides), "limit": str(size)}


class _Around:
    """What a search has shown of the pictures around a point."""

    def __init__(self, point: SamplePoint, rights: Rights) -> None:
        self.point = point
        self._rights = rights
        self.forget()

    def forget(self) -> None:
        """Begin again."""
        self._positions: list[tuple[float, float]] = []
        self._usable: dict[str, Panorama] = {}
        self._why_not = ""

    def add(self, items: Sequence[Item]) -> None:
        """Take in a page, nearest first."""
        for item in items:
            position = position_of(item)
            if position is None:
                continue
            self._positions.append(position)
            judged = panorama_of(item, self._rights)
            if isinstance(judged, Panorama):
                self._usable[judged.source_id] = judged
            elif self._metres([position])[0] <= self.point.radius_m:
                self._why_not = self._why_not or judged

    def place(self) -> Panorama | None:
        """Return the nearest place that may be used, or None."""
        chosen = [self._usable[one.source_id] for one in pictures_of_place(self.point, list(self._sightings()))]
        return replace(chosen[0], companions=tuple(chosen[1:])) if chosen else None

    def miss(self) -> Miss:
        """Say why there is none."""
        if self._why_not:
            return Miss(OutcomeStatus.WRONG_PROVIDER, self._why_not)
        return Miss(OutcomeStatus.NO_IMAGERY)

    def certain(self) -> bool:
        """Say whether what has not been shown yet stands too far off to change the place."""
        place = self.place()
        needed_m = self._metres([(place.lat, place.lon)])[0] + PLACE_M if place else self.point.radius_m
        return bool(self._shown_m() >= needed_m)

    def _sightings(self) -> Iterator[Sighting]:
        for one in self._usable.values():
            azimuth = one.native.heading if one.native else None
            yield Sighting(one.source_id, one.lat, one.lon, azimuth, one.rights.license)

    def _shown_m(self) -> float:
        """Return within how many metres everything has been shown, if the pages are sorted as the catalogue says.

        It sorts by distance in degrees, in which a metre east is longer than one north; by metres would do as well.
        """
        metres = self._metres(self._positions)
        degrees = np.hypot(*(np.array(self._positions).reshape(-1, 2) - (self.point.lat, self.point.lon)).T)
        if len(metres) and (np.diff(metres) >= -0.01).all():
            return float(metres[-1])
        if len(metres) and (np.diff(degrees) >= -1e-9).all():
            return float(degrees[-1]) * _DEGREE_M * math.cos(math.radians(self.point.lat))
        return 0.0

    def _metres(self, positions: Sequence[tuple[float, float]]) -> np.ndarray:
        lat, lon = np.array(positions, dtype=float).reshape(-1, 2).T
        return 1000 * haversine_km(self.point.lat, self.point.lon, lat, lon)


def _panoramax(settings: Settings, site: Site, _backing: Backing) -> Panoramax:
    real = Rights("", "", "open-licence", World.REAL, TERMS)
    rights = site.emulated_rights if site.world is World.EMULATED else real
    return Panoramax(ADDRESS.url(settings), rights, site.realm)


SOURCE = Source(_panoramax, (ADDRESS,), client=Panoramax)
