"""What a photograph's file says of itself: size, position, direction, time, camera, and whether it shows all round.

In: a JPEG file. Out: its tags from EXIF and XMP. Nothing is decoded.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from geolocate.providers.positions import Position


class Projection(Enum):
    """What the picture's plane shows."""

    FLAT = "flat"
    SPHERE = "sphere"
    PART_OF_SPHERE = "part of a sphere"


@dataclass(frozen=True, slots=True)
class Tags:
    """One file's tags. ``position.heading`` is where the middle of the picture looks; None where nothing says."""

    width: int
    height: int
    position: Position
    projection: Projection
    captured: str | None
    camera: str | None


def read_tags(file: Path) -> Tags:
    """Read the tags. Raises what Pillow raises for a file that is no picture: OSError, SyntaxError, ValueError."""
    with Image.open(file, formats=("JPEG",)) as image:
        exif = image.getexif()
        panorama = _panorama_tags(image)
        size = image.size
    lat, lon, heading = _from_exif(exif.get_ifd(ExifTags.IFD.GPSInfo))
    projection = _projection(size, panorama)
    if projection is not Projection.FLAT:
        # Some cameras leave the pose at 0 and write the direction into EXIF.
        heading = _number(panorama.get("PoseHeadingDegrees")) or heading
    taken = str(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or "")
    camera = str(exif.get(ExifTags.Base.Model) or "").strip("\x00 ") or None
    position = Position(lat, lon, None if heading is None else heading % 360)
    return Tags(*size, position, projection, _day(taken), camera)


def _panorama_tags(image: Image.Image) -> dict[str, str]:
    """Return what XMP's GPano says; {} where there is none, or none that can be read."""
    if b"GPano" not in bytes(image.info.get("xmp", b"")):
        return {}
    try:
        return {name: value for name, value in _leaves(image.getxmp()) if isinstance(value, str)}
    except (SyntaxError, ValueError):  # XML that is cut off, or that defusedxml refuses
        return {}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _projection(size: tuple[int, int], panorama: dict[str, str]) -> Projection:
    if panorama.get("ProjectionType") != "equirectangular":
        return Projection.FLAT
    names = ("FullPano{}Pixels", "CroppedAreaImage{}Pixels")
    (full_width, cropped_width), (full_height, cropped_height) = (
        [_number(panorama.get(name.format(side))) for name in names] for side in ("Width", "Height")
    )
    whole = cropped_width in (None, full_width) and cropped_height in (None, full_height)
    return Projection.SPHERE if whole and abs(size[0] - 2 * size[1]) <= 2 else Projection.PART_OF_SPHERE


def _from_exif(gps: dict[int, Any]) -> tuple[float, float, float | None]:
    """Turn EXIF's degrees, minutes and seconds into lat, lon (NaN where they are none) and heading."""
    heading = _number(gps.get(ExifTags.GPS.GPSImgDirection))
    try:
        lat = _degrees(gps[ExifTags.GPS.GPSLatitude]) * (-1 if gps[ExifTags.GPS.GPSLatitudeRef] == "S" else 1)
        lon = _degrees(gps[ExifTags.GPS.GPSLongitude]) * (-1 if gps[ExifTags.GPS.GPSLongitudeRef] == "W" else 1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return math.nan, math.nan, heading
    return (lat, lon, heading) if Position(lat, lon).known else (math.nan, math.nan, heading)


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    return degrees + minutes / 60 + seconds / 3600


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _day(taken: str) -> str | None:
    """Return EXIF's "2021:07:29 11:16:42" as a day; None where the camera's clock was never set."""
    day = taken[:10].replace(":", "-").strip("\x00 ")
    return day if day[:4].isdigit() and day > "1" else None
