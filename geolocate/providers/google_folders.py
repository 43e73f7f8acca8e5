"""Folders of Street View pictures that other programs have left behind.

In: a folder as the google-streetview package writes it (``metadata.json`` beside ``gsv_0.jpg`` …, one such folder a
batch), or as GeoguessrLSTM does (``<cell>+<lat,lon>/<heading>_<YYYY-MM>.jpg``). Out: places with their pictures. The
pictures of the first bear Google's own panorama IDs, so that the ledger knows them as bought.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from geolocate.errors import ProviderError
from geolocate.providers.photo_places import (
    FolderOptions,
    Photo,
    Place,
    content_id,
    jpegs_in,
    tags_of,
    unusable,
    without_repeats,
)
from geolocate.providers.positions import Position
from geolocate.records import ImageReason, Miss, OutcomeStatus, View

METADATA = "metadata.json"
LINKS = "links.txt"
_CELL = re.compile(r"(?P<cell>.+)\+(?P<lat>-?\d+(\.\d+)?),\s*(?P<lon>-?\d+(\.\d+)?)")
_SHOT = re.compile(r"(?P<heading>\d+(\.\d+)?)_(?P<captured>\d{4}-\d{2})")
#: What of an address is read besides the heading, and what holds where it does not say.
_USUAL = (("pitch", "0"), ("fov", "90"))


def google_streetview_places(folder: Path, options: FolderOptions) -> list[Place]:
    """Read all batches below a folder; the pictures of one panorama are one place, also from several batches.

    The package does not write down where its pictures look: that is read from ``links.txt`` beside them
    (``results.save_links``), of which nothing else is kept, or told by ``options.headings``. Raises ProviderError
    where there is no batch, or nothing says where the pictures look.
    """
    if not folder.is_dir():
        raise ProviderError(f"no folder {folder}: name a folder that google-streetview has written")
    batches = sorted(folder.rglob(METADATA))
    if not batches:
        raise ProviderError(f"no {METADATA} in {folder}: google-streetview writes one beside its gsv_0.jpg")
    photos: dict[str, list[Photo]] = {}
    groups: dict[str, str] = {}
    misses = []
    for path in batches:
        for found in _batch(path, path.parent.relative_to(folder).as_posix(), options):
            if isinstance(found, Place):
                misses.append(found)
            else:
                photos.setdefault(found.source_id, []).append(found)
                groups.setdefault(found.source_id, path.parent.name)
    places = [
        Place(pano, groups[pano], shots[0].lat, shots[0].lon, tuple(without_repeats(shots)))
        for pano, shots in photos.items()
    ]
    return places + misses


def _batch(path: Path, name: str, options: FolderOptions) -> Iterator[Photo | Place]:
    """Read one metadata.json: a photograph for each picture, a place for each entry without one."""
    entries = _entries(path)
    views = _views(path.parent / LINKS, len(entries)) or _numbered(path, entries, options)
    for number, (entry, view) in enumerate(zip(entries, views, strict=True)):
        where = f"{name}/{number}"
        pano, position = str(entry.get("pano_id") or ""), _location(entry)
        file = path.parent / Path(str(entry.get("_file") or "")).name
        if entry.get("status") != "OK" or not entry.get("_file"):
            miss = Miss(OutcomeStatus.NO_IMAGERY, str(entry.get("status"))[:40])
            yield Place(where, path.parent.name, math.nan, math.nan, miss=miss)
        elif not pano or not position.known:
            yield unusable(file, where, "no panorama or position", ImageReason.NO_POSITION)
        else:
            # A file that the package names and has not written stands here too: reading it gives nothing.
            yield Photo(
                file,
                pano,
                position.lat,
                position.lon,
                _sized(file, view),
                captured=str(entry["date"]) if entry.get("date") else None,
                provider="google",
                attribution=str(entry.get("copyright") or "© Google"),
            )


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ProviderError(f"{path} cannot be read ({type(error).__name__}): remove the batch or mend it") from None
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ProviderError(f"{path} is no list of metadata: google-streetview's save_metadata writes one")
    return value


def _location(entry: dict[str, Any]) -> Position:
    try:
        return Position(float(entry["location"]["lat"]), float(entry["location"]["lng"]))
    except (KeyError, TypeError, ValueError):
        return Position(math.nan, math.nan)


def _views(links: Path, wanted: int) -> list[View] | None:
    """Read where each picture looks from the addresses that it was asked for at; None where they do not say."""
    if not links.is_file():
        return None
    queries = [parse_qs(urlsplit(line).query) for line in links.read_text(errors="replace").splitlines() if line]
    if len(queries) != wanted:
        raise ProviderError(f"{links} has {len(queries)} addresses for {wanted} entries of {METADATA}: remove it")
    try:
        return [_view(query) for query in queries]
    except (KeyError, ValueError):
        return None


def _view(query: dict[str, list[str]]) -> View:
    pitch, fov = (float(query.get(name, [usual])[0]) for name, usual in _USUAL)
    return View(float(query["heading"][0]) % 360, pitch, fov)


def _numbered(path: Path, entries: Sequence[dict[str, Any]], options: FolderOptions) -> list[View]:
    """Give the pictures of each panorama the headings in their order."""
    if not options.headings:
        raise ProviderError(
            f"{path} does not say where the pictures look: give --headings 0,90,180 in the order in which they were "
            f"asked for, or put {LINKS} (save_links) beside it"
        )
    counters: dict[str, Iterator[int]] = {}
    views = []
    for entry in entries:
        number = next(counters.setdefault(str(entry.get("pano_id")), count()))
        views.append(View(options.headings[number % len(options.headings)], fov=options.fov))
    return views


def _sized(file: Path, view: View) -> View:
    """Give the view the size that the picture has; one that cannot be read keeps the API's largest."""
    tags = tags_of(file)
    width, height = (640, 640) if isinstance(tags, ImageReason) else (tags.width, tags.height)
    return View(view.heading, view.pitch, view.fov, width, height)


def geoguessr_places(folder: Path, options: FolderOptions) -> list[Place]:
    """Read GeoguessrLSTM's folders: each is a place, its files are the views; the panoramas' IDs are lost.

    Raises ProviderError where no folder is named so.
    """
    groups: dict[Path, list[Path]] = {}
    for file in jpegs_in(folder):
        groups.setdefault(file.parent, []).append(file)
    if not any(_CELL.fullmatch(place.name) for place in groups):
        raise ProviderError(f"no folder <cell>+<lat>,<lon> in {folder}: GeoguessrLSTM names its folders so")
    return [found for files in groups.values() for found in _cell_places(folder, files, options.fov)]


def _cell_places(folder: Path, files: Sequence[Path], fov: float) -> Iterator[Place]:
    """Read the files of one folder: a place of all that are named as they should be, and one of each other."""
    place = files[0].parent
    named = _CELL.fullmatch(place.name)
    position = Position(float(named["lat"]), float(named["lon"])) if named else Position(math.nan, math.nan)
    photos = []
    for file in files:
        shot = _SHOT.fullmatch(file.stem)
        if named and position.known and shot:
            photos.append(_shot(file, position, View(float(shot["heading"]) % 360, fov=fov), shot["captured"]))
        else:
            point_id = file.relative_to(folder).as_posix()
            yield unusable(file, point_id, "no position, heading and month in its name", ImageReason.NO_POSITION)
    if photos and named:
        kept = tuple(without_repeats(photos))
        yield Place(place.relative_to(folder).as_posix(), named["cell"], position.lat, position.lon, kept)


def _shot(file: Path, at: Position, view: View, captured: str) -> Photo:
    return Photo(file, content_id(file), at.lat, at.lon, _sized(file, view), captured=captured, attribution="© Google")
