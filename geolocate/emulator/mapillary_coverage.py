"""What the emulated Mapillary knows of its photographs, and the vector tiles that show them.

In: contributions. Out: the fields of an entity, and tiles of zoom 14 with a layer ``image``. As in reality the cameras'
own positions are off by a few metres and some compasses are wrong; what was computed from the pictures is right, where
it was computed. Some photographs were deleted since the tiles were made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mapbox_vector_tile
from shapely.geometry import Point

from geolocate.emulator.contributors import Contribution, contributions_in_box
from geolocate.emulator.numbering import number_of
from geolocate.geography.hashing import mix

SERVICE = "mapillary"
ZOOM = 14
EXTENT = 4096
_METRES_A_DEGREE = 111_195.0
#: So far a camera's own position is off, at the most.
_NOISE_M = 6.0
#: Of a thousand photographs: deleted since, with a wrong compass, with nothing computed.
_DELETED, _MISLED, _UNCOMPUTED = 30, 100, 50


@dataclass(frozen=True, slots=True)
class Photograph:
    """A contribution as Mapillary knows it: noted by the camera, and computed from the picture (None: it was not)."""

    contribution: Contribution
    number: int
    noted: tuple[float, float]
    compass: float
    computed: tuple[float, float] | None
    deleted: bool

    @property
    def sequence(self) -> str:
        """The sequence's id: 22 letters and digits."""
        return self.contribution.sequence.hex[:22]

    @property
    def taken_ms(self) -> int:
        """When it was taken, in milliseconds since 1970."""
        return round(self.contribution.taken.timestamp() * 1000)

    @property
    def creator_number(self) -> int:
        """The creator's id."""
        return 10**14 + mix(int.from_bytes(self.contribution.creator.encode())) % 10**13


def photograph_of(seed: int, one: Contribution) -> Photograph:
    """Return what Mapillary knows of a contribution."""
    number = number_of(seed, one)
    luck = mix(seed, 12, number)
    away_m, towards = _NOISE_M * (luck % 1000) / 1000, math.radians(luck // 1000 % 360)
    north, east = away_m * math.cos(towards) / _METRES_A_DEGREE, away_m * math.sin(towards) / _METRES_A_DEGREE
    noted = round(one.lat + north, 7), round(one.lon + east / math.cos(math.radians(one.lat)), 7)
    # A camera that notes its way south wherever it goes, say: the computed direction tells better, so it is there.
    misled = luck // 10**6 % 1000 < _MISLED
    computed = misled or luck // 10**9 % 1000 >= _UNCOMPUTED
    return Photograph(
        one,
        number,
        noted,
        (one.azimuth + (90 + luck // 10**6 % 180 if misled else luck // 10**3 % 7 - 3)) % 360,
        (one.lat, one.lon) if computed else None,
        luck // 10**12 % 1000 < _DELETED,
    )


def tile_body(seed: int, x: int, y: int) -> bytes:
    """Encode the tile; empty where there are no photographs. Those whose noted position lies in it are shown."""
    north, west = _corner(x, y)
    south, east = _corner(x + 1, y + 1)
    margin = 2 * _NOISE_M / _METRES_A_DEGREE / math.cos(math.radians(north))
    box = (south - margin, west - margin, north + margin, east + margin)
    photographs = [photograph_of(seed, one) for one in contributions_in_box(seed, SERVICE, *box)]
    features = [_feature(one, place) for one in photographs if (place := _place_in_tile(one.noted, x, y)) is not None]
    if not features:
        return b""
    layer = {"name": "image", "features": features}
    options = {"y_coord_down": True, "extents": EXTENT}
    body: bytes = mapbox_vector_tile.encode([layer], default_options=options)
    return body


def entity_fields(one: Photograph) -> dict[str, Any]:
    """Return all fields of an entity but the thumbnails' addresses."""
    shot, lens = one.contribution, one.contribution.lens
    focal = 0.5 / math.tan(math.radians(lens.fov) / 2) if not shot.whole else 0.0
    told = {
        "id": str(one.number),
        "captured_at": one.taken_ms,
        "camera_type": "equirectangular" if shot.whole else "perspective",
        "camera_parameters": [] if shot.whole else [focal, 0.0, 0.0],
        "compass_angle": one.compass,
        "creator": {"username": shot.creator, "id": str(one.creator_number)},
        "exif_orientation": 1,
        "geometry": _point(one.noted),
        "height": lens.height,
        "is_pano": shot.whole,
        "make": lens.maker,
        "model": lens.model,
        "sequence": one.sequence,
        "width": lens.width,
    }
    computed = {"computed_compass_angle": shot.azimuth, "computed_geometry": _point(one.computed)}
    return told | computed if one.computed else told


def _feature(one: Photograph, place: Sequence[float]) -> dict[str, Any]:
    shot = one.contribution
    return {
        "geometry": Point(place),
        "properties": {
            "id": one.number,
            "captured_at": one.taken_ms,
            "compass_angle": round(one.compass),
            "creator_id": one.creator_number,
            "is_pano": shot.whole,
            "sequence_id": one.sequence,
        },
    }


def _place_in_tile(position: tuple[float, float], x: int, y: int) -> tuple[int, int] | None:
    """Return column and row within the tile's grid, None where the position lies in another tile."""
    lat, lon = position
    size = 1 << ZOOM
    column = (lon + 180) / 360 * size - x
    row = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * size - y
    inside = 0 <= column < 1 and 0 <= row < 1
    return (int(column * EXTENT), int(row * EXTENT)) if inside else None


def _corner(x: int, y: int) -> tuple[float, float]:
    """Return lat, lon of a tile's north-western corner."""
    size = 1 << ZOOM
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / size)))), x / size * 360 - 180


def _point(position: tuple[float, float] | None) -> dict[str, Any] | None:
    return {"type": "Point", "coordinates": [position[1], position[0]]} if position else None
