"""Read coverage from vector tiles: which pictures a whole town has, in one answer.

In: the body of a Mapbox vector tile of zoom 14, and which tile it is. Out: the pictures in it, as columns.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import mapbox_vector_tile
import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from geolocate.geography.distances import EARTH_RADIUS_KM
from geolocate.providers.protocol import UnreachableError

#: The zoom at which the layer ``image`` has one point a picture; a tile is about 1.5 km wide in Britain.
ZOOM = 14
#: Web maps end here, where they are square.
_MOST_LAT = 85.0511287798
_METRES_A_DEGREE = math.radians(1) * EARTH_RADIUS_KM * 1000


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile of zoom 14: columns count from the antimeridian eastwards, rows from the north."""

    x: int
    y: int

    @property
    def path(self) -> str:
        """The tile's address below a tile server's root."""
        return f"{ZOOM}/{self.x}/{self.y}"


@dataclass(frozen=True)
class Coverage:
    """The pictures of some tiles, as columns of one length.

    ``azimuth`` is in degrees clockwise from north, NaN where the tile does not tell it. Positions are as fine as the
    tile's grid: 0.4 m in Britain.
    """

    ids: NDArray[np.str_]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    is_pano: NDArray[np.bool_]


def tile_at(lat: float, lon: float) -> Tile:
    """Return the tile that a position lies in."""
    x, y = _grid(lat, lon)
    most = (1 << ZOOM) - 1
    return Tile(int(x) % (most + 1), min(max(int(y), 0), most))


def tiles_around(lat: float, lon: float, radius_m: float) -> list[Tile]:
    """Return the tiles that a circle of less than a kilometre touches, in order: one, or up to four near a corner."""
    north = radius_m / _METRES_A_DEGREE
    east = north / max(math.cos(math.radians(lat)), 0.01)
    corners = [(lat + up * north, lon + right * east) for up in (-1, 1) for right in (-1, 1)]
    return sorted({tile_at(*corner) for corner in corners})


def decode_coverage(body: bytes, tile: Tile, layer: str = "image") -> Coverage:
    """Read the pictures of a tile; an empty body is a tile without pictures.

    Raises UnreachableError for a body that is no vector tile: it may have been cut off on its way.
    """
    try:
        layers: dict[str, Any] = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True})
    except (DecodeError, ValueError, IndexError, KeyError, TypeError, AssertionError) as error:
        raise UnreachableError(
            f"coverage tile {tile.path} is no vector tile ({type(error).__name__})", billable=False
        ) from None
    found = layers.get(layer, {"extent": 4096, "features": []})
    points = [one for one in found["features"] if one["geometry"]["type"] == "Point" and "id" in one["properties"]]
    told = [one["properties"] for one in points]
    places = np.array([one["geometry"]["coordinates"] for one in points], dtype=float).reshape(-1, 2) / found["extent"]
    lat, lon = _position(tile.x + places[:, 0], tile.y + places[:, 1])
    return Coverage(
        np.array([str(one["id"]) for one in told], dtype=np.str_),
        lat,
        lon,
        np.array([_degrees(one.get("compass_angle")) for one in told], dtype=float),
        np.array([bool(one.get("is_pano")) for one in told], dtype=bool),
    )


def joined(parts: Iterable[Coverage]) -> Coverage:
    """Put the pictures of several tiles into one set of columns."""
    columns = zip(*((one.ids, one.lat, one.lon, one.azimuth, one.is_pano) for one in parts), strict=True)
    ids, lat, lon, azimuth, is_pano = (np.concatenate(column) for column in columns)
    return Coverage(ids, lat, lon, azimuth, is_pano)


def _degrees(angle: object) -> float:
    known = isinstance(angle, int | float) and math.isfinite(angle)
    return float(angle) % 360 if known else math.nan  # type: ignore[arg-type]


def _grid(lat: float, lon: float) -> tuple[float, float]:
    """Return column and row, with fractions, of a position in web Mercator."""
    lat = min(max(lat, -_MOST_LAT), _MOST_LAT)
    size = 1 << ZOOM
    turn = math.asinh(math.tan(math.radians(lat)))
    return math.floor((lon + 180) / 360 * size), math.floor((1 - turn / math.pi) / 2 * size)


def _position(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latitudes and longitudes of columns and rows with fractions."""
    size = 1 << ZOOM
    return np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / size)))), x / size * 360 - 180
