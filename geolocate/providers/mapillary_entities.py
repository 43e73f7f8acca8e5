"""Read what Mapillary tells of a photograph, and what its errors mean.

In: answers of the graph API, as they came; nothing about them is believed. Out: a panorama with its rights, or None;
or the error that says how to go on.
"""

import json
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from geolocate.providers.protocol import RefusedError, ThrottledError, UnreachableError
from geolocate.providers.signing import redact
from geolocate.records import Panorama, Picture, Rights, View, World

NAME = "mapillary"
LICENSE = "CC-BY-SA-4.0"
#: What is asked for of a photograph that was chosen.
FACTS = (
    *("id", "geometry", "computed_geometry", "compass_angle", "computed_compass_angle", "captured_at", "sequence"),
    *("is_pano", "width", "height", "exif_orientation", "creator", "make", "model", "camera_type"),
    "camera_parameters",
)
#: A thumbnail is at most so wide; the picture is never enlarged.
FLAT_WIDTH = 1024
#: Horizontal field of view in degrees where the camera's parameters are not told: a phone's.
ASSUMED_FOV = 65.0
#: Codes of the graph API: too many requests; a token that is not (or no longer) valid; a failure that passes.
_THROTTLED, _PASSING = (4, 17, 32, 613), (1, 2)
_REFUSED = (10, 102, 190)
_TURNED = (5, 6, 7, 8)

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the API, who gave it, and the seconds that it asks to wait."""

    host: str
    picture: Picture
    wait_s: float | None = None


def panorama_of(entity: Entity, rights: Rights) -> Panorama | None:
    """Turn an entity into a panorama without companions; None where it lacks a position, a direction or a size.

    What Mapillary has computed of position and direction goes before what the camera has noted.
    """
    position = _position(entity.get("computed_geometry")) or _position(entity.get("geometry"))
    azimuth = _azimuth(entity.get("computed_compass_angle"), entity.get("compass_angle"))
    size = _thumbnail_size(entity)
    if position is None or azimuth is None or size is None or not entity.get("id"):
        return None
    whole = bool(entity.get("is_pano"))
    maker = entity.get("creator")
    creator = str(maker.get("username") or "") if isinstance(maker, dict) else ""
    return Panorama(
        provider=NAME,
        source_id=str(entity["id"]),
        lat=position[0],
        lon=position[1],
        captured=_date(entity.get("captured_at")),
        rights=replace(rights, license=LICENSE, attribution=_attribution(creator, rights.world)),
        sequence_id=str(entity["sequence"]) if entity.get("sequence") else None,
        creator=creator or None,
        camera=" ".join(str(entity[key]) for key in ("make", "model") if entity.get(key)) or None,
        native=None if whole else View(azimuth, 0.0, _fov(entity), *size),
        azimuth=azimuth if whole else None,
    )


def judged(answered: Answered, token: str) -> Picture:
    """Let an answer pass, or raise what its status and the error in its body mean; the token is never in the text."""
    host, answer = answered.host, answered.picture
    error = error_in(answer)
    code, said = error.get("code"), redact(str(error.get("message", "")), (token,))[:200]
    if answer.http_status == 429 or code in _THROTTLED or "request limit reached" in said.lower():
        raise ThrottledError(f"{host} answers that too many requests came", retry_after_s=answered.wait_s)
    if answer.http_status >= 500 or 300 <= answer.http_status < 400 or code in _PASSING:
        raise UnreachableError(f"{host} answers {answer.http_status}", billable=False)
    if answer.http_status in (401, 403) or code in _REFUSED:
        raise RefusedError(
            f"{host} refuses the requests ({said or 'no reason given'}): check MAPILLARY_TOKEN, the client token of "
            "your application on mapillary.com/dashboard/developers"
        )
    return answer


def error_in(answer: Picture) -> dict[str, Any]:
    """Return the error that an answer's body names, empty where it names none."""
    if answer.http_status == 200 and not answer.body.startswith(b"{"):
        return {}
    try:
        error = json.loads(answer.body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {}


def _attribution(creator: str, world: World) -> str:
    """Name the creator, with a link to Mapillary, as its legal summary suggests: one line a creator.

    The photograph's own page is ``https://www.mapillary.com/app/?pKey=<source_id>``.
    """
    who = f"@{creator}" if creator else "unnamed contributor"
    return (
        f"{who} on the emulated Mapillary"
        if world is World.EMULATED
        else f"{who} on Mapillary (https://www.mapillary.com)"
    )


def _position(geometry: object) -> tuple[float, float] | None:
    """Return lat, lon of a point, which GeoJSON gives the other way round."""
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    lon, lat = _number(coordinates[0]), _number(coordinates[1])
    return (lat, lon) if lat is not None and lon is not None and abs(lat) <= 90 and abs(lon) <= 180 else None


def _azimuth(*angles: object) -> float | None:
    """Return the first angle that is told; the API gives -1 where none was noted."""
    known = [number for angle in angles if (number := _number(angle)) is not None and number >= 0]
    return known[0] % 360 if known else None


def _thumbnail_size(entity: Entity) -> tuple[int, int] | None:
    """Return the sides in pixels of the thumbnail that is fetched, as the original's sides make expect."""
    width, height = _number(entity.get("width")), _number(entity.get("height"))
    if not width or not height or min(width, height) < 1:
        return None
    if entity.get("exif_orientation") in _TURNED:
        width, height = height, width
    across = min(FLAT_WIDTH, int(width))
    return across, max(1, round(height * across / width))


def _fov(entity: Entity) -> float:
    """Return the horizontal field of view in degrees; the focal length is told in shares of the longer side."""
    parameters = entity.get("camera_parameters")
    focal = _number(parameters[0]) if isinstance(parameters, list) and parameters else None
    width, height = _number(entity.get("width")), _number(entity.get("height"))
    if not focal or focal <= 0 or not width or not height or entity.get("camera_type") not in ("perspective", "brown"):
        return ASSUMED_FOV
    if entity.get("exif_orientation") in _TURNED:
        width, height = height, width
    return round(2 * math.degrees(math.atan(width / max(width, height) / 2 / focal)), 1)


def _date(captured_at: object) -> str | None:
    """Return the day of a time in milliseconds since 1970."""
    milliseconds = _number(captured_at)
    if milliseconds is None or not 0 < milliseconds < 4e12:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON's integers have no largest
        return None
    return number if math.isfinite(number) else None
