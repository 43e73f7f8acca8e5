"""A folder of one's own photographs, with positions from EXIF or from a table beside them.

In: a folder, with ``positions.csv`` (columns ``file, lat, lon`` and optionally ``heading``) or EXIF GPS in the photos,
and the rights that their owner declares. Out: one panorama with one view a photograph.
"""

import asyncio
import csv
import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from geolocate.errors import PictureError, ProviderError
from geolocate.records import Miss, OutcomeStatus, Panorama, Picture, Rights, SamplePoint, View, World

POSITIONS = "positions.csv"
SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph whose position is known; heading in degrees clockwise from north, 0 where unknown."""

    source_id: str
    file: Path
    lat: float
    lon: float
    heading: float
    width: int
    height: int
    captured: str | None
    camera: str | None

    @property
    def view(self) -> View:
        """The only view that there is of it."""
        return View(self.heading, width=self.width, height=self.height)


class FolderOfPhotos:
    """The provider over a folder; a photograph's id is the hash of its bytes, so that renaming changes nothing."""

    name = "folder"
    source = ""
    realm = World.REAL.value
    price_micro_usd = 0

    def __init__(self, folder: Path, rights: Rights) -> None:
        self.rights = rights
        self.photos, self.without_position = photos_in_folder(folder)
        self._by_id = {photo.source_id: photo for photo in self.photos}

    async def find(self, point: SamplePoint) -> Panorama | Miss:
        """Return the photograph that the point was planned for; the plan's points are the photographs' own."""
        photo = self._by_id.get(point.point_id)
        if photo is None:
            return Miss(OutcomeStatus.NO_IMAGERY, "no such photo in the folder")
        return Panorama(
            self.name,
            photo.source_id,
            photo.lat,
            photo.lon,
            photo.captured,
            self.rights,
            camera=photo.camera,
            native=photo.view,
        )

    async def fetch(self, panorama: Panorama, view: View) -> Picture:
        """Read the photograph's file."""
        photo = self._by_id.get(panorama.source_id)
        if photo is None:
            return Picture(b"", "", 404)
        return Picture(await asyncio.to_thread(photo.file.read_bytes), "image/jpeg", 200)

    async def close(self) -> None:
        """There is nothing to give back."""


def photos_in_folder(folder: Path) -> tuple[list[Photo], list[Path]]:
    """Return the photographs with a position, in the order of their paths, and the files without one.

    Raises ProviderError when there is no folder or no JPEG in it, PictureError for one that cannot be opened.
    """
    if not folder.is_dir():
        raise ProviderError(f"no folder {folder}: name a folder that holds photographs")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise ProviderError(f"no photographs in {folder}: .jpg or .jpeg files are needed")
    table = _positions(folder)
    photos: dict[str, Photo] = {}
    without = []
    for file in files:
        state = file.stat()
        photo = _photo(file, state.st_mtime_ns, state.st_size, table.get(file.relative_to(folder).as_posix()))
        if photo is None:
            without.append(file)
        else:
            photos.setdefault(photo.source_id, photo)
    return list(photos.values()), without


def _positions(folder: Path) -> dict[str, tuple[float, float, float]]:
    """Read positions.csv where it exists: file -> lat, lon, heading."""
    path = folder / POSITIONS
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ProviderError(f"{path} is not UTF-8: save it as CSV in UTF-8") from None
    rows = csv.DictReader(io.StringIO(text, newline=""))
    missing = {"file", "lat", "lon"} - set(rows.fieldnames or ())
    if missing:
        raise ProviderError(f"{path} lacks the columns {', '.join(sorted(missing))}: give file,lat,lon[,heading]")
    return dict(_rows(path, rows))


def _rows(path: Path, rows: "csv.DictReader[str]") -> Iterator[tuple[str, tuple[float, float, float]]]:
    for row in rows:
        try:
            lat, lon, heading = float(row["lat"]), float(row["lon"]), float(row.get("heading") or 0)
        except (TypeError, ValueError):  # a short line has None where a number is wanted
            raise ProviderError(f"{path}, line {rows.line_num}: lat, lon and heading must be numbers") from None
        if not math.isfinite(heading):
            raise ProviderError(f"{path}, line {rows.line_num}: heading {heading} is no direction; leave it empty")
        if not _on_earth(lat, lon):
            raise ProviderError(f"{path}, line {rows.line_num}: {lat}, {lon} is no latitude and longitude")
        yield row["file"], (lat, lon, heading % 360)


# Every shard of an import opens the folder anew: a photograph that has not changed is read and hashed once.
@lru_cache(maxsize=1_000_000)
def _photo(file: Path, _modified_ns: int, _size: int, position: tuple[float, float, float] | None) -> Photo | None:
    try:
        with Image.open(file) as image:
            exif = image.getexif()
            width, height = image.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise PictureError(f"{file} is not a readable JPEG ({type(error).__name__}): remove or replace it") from error
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    found = position or _exif_position(gps)
    if found is None:
        return None
    lat, lon, heading = found
    source_id = hashlib.sha256(file.read_bytes()).hexdigest()[:22]
    taken = str(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or "")
    captured = taken[:10].replace(":", "-") or None
    camera = str(exif.get(ExifTags.Base.Model) or "").strip("\x00 ") or None
    return Photo(source_id, file, lat, lon, heading, width, height, captured, camera)


def _exif_position(gps: dict[int, object]) -> tuple[float, float, float] | None:
    """Turn EXIF's degrees, minutes and seconds into lat, lon, heading."""
    try:
        lat = _degrees(gps[ExifTags.GPS.GPSLatitude]) * (-1 if gps[ExifTags.GPS.GPSLatitudeRef] == "S" else 1)
        lon = _degrees(gps[ExifTags.GPS.GPSLongitude]) * (-1 if gps[ExifTags.GPS.GPSLongitudeRef] == "W" else 1)
        heading = float(gps.get(ExifTags.GPS.GPSImgDirection, 0))  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not _on_earth(lat, lon):
        return None
    return lat, lon, heading % 360 if math.isfinite(heading) else 0.0


def _degrees(parts: object) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)  # type: ignore[attr-defined]
    return degrees + minutes / 60 + seconds / 3600


def _on_earth(lat: float, lon: float) -> bool:
    return abs(lat) <= 90 and abs(lon) <= 180
