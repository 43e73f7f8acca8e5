"""Photographs in a folder, gathered into the places that they show.

In: a folder, and how it is laid out. Out: places, each with its photographs or the reason why it has no usable one.
A place is a planned point; every file of the folder belongs to one, so that the totals reconcile.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from geolocate.errors import ProviderError
from geolocate.providers.picture_tags import Projection, Tags, read_tags
from geolocate.providers.positions import Position, positions_for
from geolocate.records import ImageReason, Miss, OutcomeStatus, View

SUFFIXES = (".jpg", ".jpeg")
#: What Pillow raises for a file that is no picture, or only a part of one.
UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph. ``view`` is its only one; None: it shows all round, and ``azimuth`` is where its middle looks."""

    file: Path
    source_id: str
    lat: float
    lon: float
    view: View | None
    azimuth: float = 0.0
    captured: str | None = None
    camera: str | None = None
    provider: str = "folder"
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A planned point: its photographs, or why there is none to use; the position is NaN where it is not known."""

    point_id: str
    group: str
    lat: float
    lon: float
    photos: tuple[Photo, ...] = ()
    miss: Miss | None = None


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """What the files do not say: a table of positions elsewhere, headings in the order of the files, field of view."""

    positions: Path | None = None
    headings: tuple[float, ...] = ()
    fov: float = 90.0


def jpegs_in(folder: Path) -> list[Path]:
    """Return the JPEG files below a folder by their paths. Raises ProviderError where there is no folder or no file."""
    if not folder.is_dir():
        raise ProviderError(f"no folder {folder}: name a folder that holds photographs")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise ProviderError(f"no photographs in {folder}: .jpg or .jpeg files are needed")
    return files


def own_photos(folder: Path, options: FolderOptions) -> list[Place]:
    """Read a person's own photographs: each is a place, by its position in the table or in EXIF.

    A copy of another file is a place of the same photograph, and becomes a duplicate of it.
    """
    table = positions_for(folder, options.positions)
    taken: dict[str, int] = {}
    places = []
    for file in jpegs_in(folder):
        source_id = content_id(file)
        copies = taken[source_id] = taken.get(source_id, 0) + 1
        point_id = source_id if copies == 1 else f"{source_id}-{copies}"
        places.append(_place(file, source_id, point_id, table.get(file.relative_to(folder).as_posix())))
    return places


def unusable(file: Path, point_id: str, detail: str, reason: ImageReason | None) -> Place:
    """Return the place of a file that cannot be used, and why."""
    miss = Miss(OutcomeStatus.NO_IMAGERY, f"{file.name}: {detail}", reason)
    return Place(point_id, file.parent.name, math.nan, math.nan, miss=miss)


def why_unreadable(file: Path) -> ImageReason:
    """Name what is wrong with a file of which Pillow cannot read the header."""
    try:
        with file.open("rb") as opened:
            start = opened.read(2)
    except OSError:
        return ImageReason.UNREACHABLE
    if not start:
        return ImageReason.EMPTY
    return ImageReason.TRUNCATED if start == b"\xff\xd8" else ImageReason.WRONG_TYPE


def content_id(file: Path) -> str:
    """Name a photograph by the hash of its bytes, so that renaming changes nothing; an unreadable file by its path."""
    try:
        state = file.stat()
        return _content_id(file, state.st_mtime_ns, state.st_size)
    except OSError:
        return "path-" + hashlib.sha256(str(file).encode()).hexdigest()[:17]


def tags_of(file: Path) -> Tags | ImageReason:
    """Return the file's tags, or why it has none."""
    try:
        state = file.stat()
        return _tags(file, state.st_mtime_ns, state.st_size)
    except UNREADABLE:
        return why_unreadable(file)


def _place(file: Path, source_id: str, point_id: str, position: Position | None) -> Place:
    tags = tags_of(file)
    if isinstance(tags, ImageReason):
        return unusable(file, point_id, "no readable JPEG", tags)
    if tags.projection is Projection.PART_OF_SPHERE:
        return unusable(file, point_id, "only a part of a 360° picture", ImageReason.WRONG_TYPE)
    at = position or tags.position
    if not at.known:
        return unusable(file, point_id, "no position in EXIF or in a table", ImageReason.NO_POSITION)
    heading = at.heading if at.heading is not None else tags.position.heading or 0.0
    view = None if tags.projection is Projection.SPHERE else View(heading, width=tags.width, height=tags.height)
    photo = Photo(file, source_id, at.lat, at.lon, view, heading, tags.captured, tags.camera)
    return Place(point_id, file.parent.name, at.lat, at.lon, (photo,))


# Every office that opens a folder reads it anew: a photograph that has not changed is read and hashed once a process.
@lru_cache(maxsize=1_000_000)
def _content_id(file: Path, _modified_ns: int, _size: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:22]


@lru_cache(maxsize=1_000_000)
def _tags(file: Path, _modified_ns: int, _size: int) -> Tags:
    return read_tags(file)


def without_repeats(photos: Sequence[Photo]) -> Iterator[Photo]:
    """Leave out a photograph whose panorama and view came before: they are one picture to the ledger."""
    seen = set()
    for photo in photos:
        if (photo.source_id, photo.view) not in seen:
            seen.add((photo.source_id, photo.view))
            yield photo
