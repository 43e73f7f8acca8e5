"""Mapillary, API v4: open street-level photographs, flat and 360°, under CC BY-SA 4.0.

In: a point, or a panorama and a view. Out: the nearest place, and its pictures. What there is comes from vector tiles,
one answer for a whole town, as Mapillary advises; entities are asked for only of what was chosen, many in one request.
Addresses of thumbnails expire, so they are asked for when a picture is fetched, and anew when one has expired. The
token goes to Mapillary's two hosts alone, never to the host of the pictures.
"""

import asyncio
import io
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import numpy as np
from PIL import Image, UnidentifiedImageError

from geolocate.errors import SettingsError
from geolocate.geography.distances import haversine_km
from geolocate.providers.batches import Batches, Told
from geolocate.providers.coverage_store import CoverageStore
from geolocate.providers.http_client import HttpClient
from geolocate.providers.mapillary_entities import FACTS, NAME, Answered, Entity, error_in, judged, panorama_of
from geolocate.providers.places import Sighting, pictures_of_place
from geolocate.providers.protocol import Guard, ThrottledError, UnreachableError
from geolocate.providers.sites import Address, Backing, Site, Source
from geolocate.providers.spheres import Spheres
from geolocate.providers.vector_tiles import Tile
from geolocate.records import Miss, OutcomeStatus, Panorama, Picture, Rights, SamplePoint, View, World
from geolocate.settings import Settings

TILES_PATH = "/maps/vtp/mly1_public/2"
#: Requests for tiles that Mapillary answers an application in a day.
DAILY_TILES = 50_000
#: The edition of the API whose terms the rows' rights were judged by.
TERMS = "mapillary-api-v4"
#: What the thumbnails of flat and of 360° pictures are called.
_FLAT, _WHOLE = "thumb_1024_url", "thumb_2048_url"
_LARGEST_ANSWER, _LARGEST_PICTURE = 64 * 1024 * 1024, 16 * 1024 * 1024
#: How often another place is chosen where photographs turn out to be deleted or elsewhere.
_CHOICES = 4
#: A thumbnail whose sides differ by this many pixels from what the original's make expect was rounded otherwise.
_ROUNDING = 2
_NO_OBJECT = 100


@dataclass(frozen=True, slots=True)
class MapillaryEndpoint:
    """Where entities and tiles are, how we identify ourselves there, and where tiles are kept."""

    graph_url: str
    tiles_url: str
    token: str = field(repr=False)
    rights: Rights
    realm: str
    folder: Path


class Mapillary:
    """The asynchronous client; one session for all requests of a run."""

    name = NAME
    source = "tiles-z14"
    price_micro_usd = 0
    #: Below the 60,000 entities a minute that Mapillary allows an application.
    requests_per_second = 100.0
    images_a_day: int | None = None

    def __init__(self, endpoint: MapillaryEndpoint, guard: Guard) -> None:
        self._endpoint = endpoint
        self._guard = guard
        self._http = HttpClient()
        self._coverage = CoverageStore(endpoint.folder, self._tile)
        self._facts = Batches(lambda ids: self._entities(ids, FACTS))
        self._addresses = Batches(lambda ids: self._entities(ids, ("id", _FLAT, _WHOLE)))
        self._spheres = Spheres(self._thumbnail)
        self.rights = endpoint.rights
        self.realm = endpoint.realm

    async def find(self, point: SamplePoint) -> Panorama | Miss:
        """Choose the nearest place from the coverage tiles, and ask what its photographs are; see Provider.

        Photographs that were deleted since the tile was made, or that were taken elsewhere than it says, are left out.
        """
        sightings = await self._sightings(point)
        miss = Miss(OutcomeStatus.NO_IMAGERY)
        for _ in range(_CHOICES):
            chosen = pictures_of_place(point, sightings)
            if not chosen:
                break
            told = await asyncio.gather(*(self._facts.about(one.source_id) for one in chosen))
            members = [found for entity in told if entity and (found := panorama_of(entity, self.rights))]
            if place := _place(point, members):
                return place
            miss = Miss(OutcomeStatus.NO_IMAGERY, "the photographs there are deleted or lack position or direction")
            if members:
                miss = Miss(OutcomeStatus.TOO_FAR, "the photographs there were taken elsewhere")
            gone = {one.source_id for one in chosen}
            sightings = [one for one in sightings if one.source_id not in gone]
        return miss

    async def fetch(self, panorama: Panorama, view: View) -> Picture:
        """Fetch a flat photograph, or cut a view from a 360° one, which is fetched once for all its views."""
        if panorama.native is None:
            return await self._spheres.cut(panorama, view)
        return await asyncio.to_thread(_fitted, await self._thumbnail(panorama), view)

    async def close(self) -> None:
        """Close the session's connections."""
        for part in (self._coverage, self._facts, self._addresses, self._spheres, self._http):
            await part.close()

    async def _sightings(self, point: SamplePoint) -> list[Sighting]:
        """Return what the tiles show within the point's radius."""
        there = await self._coverage.around(point)
        metres = 1000 * haversine_km(point.lat, point.lon, there.lat, there.lon)
        return [
            Sighting(
                str(there.ids[at]),
                float(there.lat[at]),
                float(there.lon[at]),
                None if there.is_pano[at] else float(np.nan_to_num(there.azimuth[at])),
            )
            for at in np.flatnonzero(metres <= point.radius_m)
        ]

    async def _tile(self, tile: Tile) -> bytes:
        """Ask for one coverage tile; tiles take the token in the URL only."""
        await self._guard.spend("Mapillary tiles", DAILY_TILES)
        token = quote(self._endpoint.token, safe="")
        url = f"{self._endpoint.tiles_url.rstrip('/')}{TILES_PATH}/{tile.path}?access_token={token}"
        answer, wait_s = await self._http.send(url, largest=_LARGEST_ANSWER)
        answer = judged(Answered(urlsplit(url).netloc, answer, wait_s), self._endpoint.token)
        # Ground without photographs has a tile that says so. A 404 says nothing about the ground, and must not be kept.
        if answer.http_status == 204:
            return b""
        if answer.http_status != 200:
            raise UnreachableError(f"{urlsplit(url).netloc} answers a tile with {answer.http_status}", billable=False)
        return answer.body

    async def _entities(self, ids: list[str], fields: tuple[str, ...]) -> Told:
        """Ask for entities by their ids; one that is gone may spoil the answer for all, so they are asked singly then.

        Raises UnreachableError, ThrottledError or RefusedError.
        """
        url = f"{self._endpoint.graph_url.rstrip('/')}/images?" + urlencode(
            {"image_ids": ",".join(ids), "fields": ",".join(fields)}, safe=","
        )
        host = urlsplit(url).netloc
        headers = {"Authorization": f"OAuth {self._endpoint.token}"}
        answer, wait_s = await self._http.send(url, largest=_LARGEST_ANSWER, headers=headers)
        judged(Answered(host, answer, wait_s), self._endpoint.token)
        if answer.http_status == 400 and error_in(answer).get("code") == _NO_OBJECT and len(ids) > 1:
            parts = [await self._entities([one], fields) for one in ids]
            return {name: entity for part in parts for name, entity in part.items()}
        return {str(entity["id"]): entity for entity in _entities_in(host, answer)}

    async def _thumbnail(self, panorama: Panorama) -> Picture:
        """Fetch the whole thumbnail, with a new address should the first have expired."""
        name = _FLAT if panorama.native else _WHOLE
        for renewed in (False, True):
            entity = await self._addresses.about(panorama.source_id)
            address = entity.get(name) if entity else None
            if not isinstance(address, str):
                break
            # Another host, which the token is none of the business of: no header, and no token in the address.
            answer, wait_s = await self._http.send(address, largest=_LARGEST_PICTURE)
            host = urlsplit(address).netloc
            if answer.http_status == 429:
                raise ThrottledError(f"{host} answers 429", retry_after_s=wait_s)
            if answer.http_status == 200:
                return answer
            # An address that has expired is refused as well; a refusal of a new one says nothing about the picture.
            if answer.http_status not in (403, 404, 410) or (renewed and answer.http_status == 403):
                raise UnreachableError(f"{host} answers a thumbnail with {answer.http_status}", billable=False)
        return Picture(b"", "", 404)


def _place(point: SamplePoint, members: list[Panorama]) -> Panorama | None:
    """Judge again what the tiles have promised, by the entities' positions and directions; None where nothing fits."""
    found = {one.source_id: one for one in members}
    sightings = [
        Sighting(one.source_id, one.lat, one.lon, one.native.heading if one.native else None) for one in members
    ]
    place = [found[one.source_id] for one in pictures_of_place(point, sightings)]
    return replace(place[0], companions=tuple(place[1:])) if place else None


def _entities_in(host: str, answer: Picture) -> list[Entity]:
    """Return the entities of an answer; a single one that is gone is answered with an error, and gives none."""
    if answer.http_status == 400 and error_in(answer).get("code") == _NO_OBJECT:
        return []
    try:
        data = json.loads(answer.body)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnreachableError(f"{host} answers {answer.http_status} without entities", billable=False) from None
    return [one for one in data if isinstance(one, dict) and "id" in one] if isinstance(data, list) else []


def _fitted(picture: Picture, view: View) -> Picture:
    """Return the thumbnail as it came, or scaled by a pixel or two where its sides were rounded otherwise."""
    try:
        with Image.open(io.BytesIO(picture.body), formats=("JPEG",)) as image:
            off = abs(image.width - view.width), abs(image.height - view.height)
            if off == (0, 0) or max(off) > _ROUNDING:
                return picture
            out = io.BytesIO()
            image.convert("RGB").resize((view.width, view.height)).save(out, "JPEG", quality=95)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return picture
    return replace(picture, body=out.getvalue())


def _mapillary(settings: Settings, site: Site, backing: Backing) -> Mapillary:
    token = settings.mapillary_token.get_secret_value().strip() if settings.mapillary_token else ""
    if not token:
        raise SettingsError(
            "MAPILLARY_TOKEN is not set: register an application on mapillary.com/dashboard/developers and set it to "
            "its client token; for `geolocate emulator` any word will do"
        )
    real = Rights("CC-BY-SA-4.0", "Mapillary", "open-licence", World.REAL, TERMS)
    rights = site.emulated_rights if site.world is World.EMULATED else real
    # Tiles of the emulated world must never stand in for real ones, nor one version for another.
    kept = NAME if site.world is World.REAL else f"{NAME}-{re.sub('[^A-Za-z0-9.-]', '-', site.realm)}"
    folder = settings.data / "store" / "coverage" / kept
    return Mapillary(
        MapillaryEndpoint(GRAPH.url(settings), TILES.url(settings), token, rights, site.realm, folder), backing.guard
    )


GRAPH = Address("mapillary_url", "GEOLOCATE_MAPILLARY_URL", ("mapillary.com",))
TILES = Address("mapillary_tiles_url", "GEOLOCATE_MAPILLARY_TILES_URL", ("mapillary.com",))
SOURCE = Source(_mapillary, (GRAPH, TILES), client=Mapillary)
