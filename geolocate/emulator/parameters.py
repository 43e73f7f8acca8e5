"""Read the parameters of a request as Street View's documentation gives them.

In: the query of a URL. Out: a ``SceneRequest``, or BadRequestError with the words for the client.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from geolocate.errors import ProviderError

MAX_SIDE = 640
DEFAULT_RADIUS_M = 50.0
_POSITION = re.compile(r"\s*(-?\d{1,3}(?:\.\d*)?)\s*,\s*(-?\d{1,3}(?:\.\d*)?)\s*")
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


class BadRequestError(ProviderError):
    """The request is malformed: INVALID_REQUEST to metadata, status 400 to an image."""


class UnknownPlaceError(ProviderError):
    """The location is an address; no address is known here: NOT_FOUND."""


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """Which panorama is asked for: by id, or the nearest to a position."""

    pano_id: str | None
    lat: float
    lon: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Which picture is asked for. ``heading`` None: the camera looks at the location."""

    heading: float | None
    pitch: float
    fov: float
    width: int
    height: int
    return_error_code: bool


def read_place(query: Mapping[str, str]) -> PlaceRequest:
    """Read ``pano``, or ``location`` with ``radius``; ``pano`` wins when both are given.

    Raises BadRequestError without either, UnknownPlaceError for an address.
    """
    if query.get("source", "default") not in ("default", "outdoor"):
        raise BadRequestError(f"Invalid request. Invalid 'source' parameter: {query['source']!r}.")
    radius_m = _number(query, "radius", DEFAULT_RADIUS_M)
    if radius_m < 0:
        raise BadRequestError("Invalid request. Invalid 'radius' parameter: it must not be negative.")
    if pano_id := query.get("pano"):
        return PlaceRequest(pano_id, 0.0, 0.0, radius_m)
    location = query.get("location", "")
    if not location.strip():
        raise BadRequestError("Invalid request. Missing the 'location' or the 'pano' parameter.")
    position = _POSITION.fullmatch(location)
    if position is None:
        raise UnknownPlaceError(f"The location {location!r} could not be geocoded.")
    lat, lon = float(position[1]), float(position[2])
    if abs(lat) > 90 or abs(lon) > 180:
        raise BadRequestError("Invalid request. Invalid 'location' parameter: it lies outside the globe.")
    return PlaceRequest(None, lat, lon, radius_m)


def read_view(query: Mapping[str, str]) -> ViewRequest:
    """Read what the camera should do; a larger size than 640 a side is clamped, as the specification says.

    Raises BadRequestError for a missing or malformed value.
    """
    size = _SIZE.fullmatch(query.get("size", ""))
    if size is None or "0" in (size[1].lstrip("0") or "0", size[2].lstrip("0") or "0"):
        raise BadRequestError("Invalid request. Missing or invalid 'size' parameter: give WIDTHxHEIGHT.")
    fov = _number(query, "fov", 90.0)
    pitch = _number(query, "pitch", 0.0)
    if not 0 < fov <= 120 or abs(pitch) > 90:
        raise BadRequestError("Invalid request. 'fov' must lie above 0 and up to 120, 'pitch' from -90 to 90.")
    heading = _number(query, "heading", 0.0) if query.get("heading") else None
    if heading is not None and not 0 <= heading <= 360:
        raise BadRequestError("Invalid request. 'heading' must lie from 0 to 360.")
    error_code = query.get("return_error_code", "false").lower()
    if error_code not in ("true", "false"):
        raise BadRequestError("Invalid request. 'return_error_code' must be true or false.")
    sides = min(int(size[1]), MAX_SIDE), min(int(size[2]), MAX_SIDE)
    return ViewRequest(heading, pitch, fov, *sides, return_error_code=error_code == "true")


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[+-]?\d{1,9}(\.\d*)?", text):
        raise BadRequestError(f"Invalid request. Invalid '{name}' parameter: {text!r} is not a number.")
    return float(text)
