"""Choose the map projection in which a region's cells and blocks are squares, and measure how well it does.

In: land in degrees. Out: a zone with an equal-area CRS and the boxes that its land lies in.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS, Proj
from shapely.geometry.base import BaseGeometry

from geolocate.errors import RegionError
from geolocate.geography.distances import haversine_km
from geolocate.geography.projections import Floats, checked_crs
from geolocate.geography.regions import Zone

#: The standard grid of Europe (INSPIRE): Lambert's azimuthal equal-area projection about 52 N, 10 E.
EUROPE = "EPSG:3035"
#: What the ground partition reckons with: no direction longer on the map than this times its length on the ground.
MOST_STRETCH = 1.02
MOST_AREA_ERROR = 0.001
_MARGIN_DEGREES = 0.25  # some 15 km or more, well beyond any coast tolerance
_SAMPLE = 5000


@dataclass(frozen=True, slots=True)
class Distortion:
    """How far a CRS is from true over some land: the largest relative error of areas, and the largest stretch."""

    area_error: float
    stretch: float

    @property
    def is_small(self) -> bool:
        """Whether cells are of equal area and the partition's buffers are as wide as promised."""
        return self.area_error <= MOST_AREA_ERROR and self.stretch <= MOST_STRETCH


@dataclass(frozen=True, slots=True)
class Extent:
    """A box round some land, in degrees; ``west`` is greater than ``east`` where it crosses the antimeridian."""

    south: float
    west: float
    north: float
    east: float

    @property
    def width(self) -> float:
        """How many degrees of longitude it spans."""
        return (self.east - self.west) % 360

    @property
    def diagonal_km(self) -> float:
        """The distance from its south-west to its north-east corner, in km."""
        return float(haversine_km(self.south, self.west, self.north, self.west + self.width))


def extent_of(land: BaseGeometry) -> Extent:
    """Return the narrowest box round the land, across the antimeridian where that is narrower."""
    _, south, _, north = shapely.bounds(land)
    spans = shapely.bounds(shapely.get_parts(land))[:, [0, 2]]
    spans = spans[np.argsort(spans[:, 0])]
    reach = np.maximum.accumulate(spans[:, 1])
    gaps = np.append(spans[1:, 0], spans[0, 0] + 360) - reach
    widest = int(np.argmax(gaps))
    west = spans[(widest + 1) % len(spans), 0]
    return Extent(float(south), float(west), float(north), float(reach[widest]))


def choose_zone(name: str, land: BaseGeometry, crs: str | None = None) -> Zone:
    """Return the region's one zone, in ``crs`` or in what suits the land best.

    That is EPSG:3035 where it holds, and else Lambert's azimuthal equal-area projection about the middle of the land.
    Raises RegionError where the CRS distorts too much, as it does from some 2,500 km off the middle.
    """
    extent = extent_of(land)
    if crs is None:
        crs = EUROPE if _in_europe(extent) and distortion(EUROPE, land).is_small else _azimuthal(extent)
    found = distortion(crs, land)
    if found.area_error > MOST_AREA_ERROR:
        raise RegionError(
            f"crs {crs!r} is not equal-area here (areas are up to {found.area_error:.1%} off): choose an equal-area "
            "one, or leave --crs out"
        )
    if found.stretch > MOST_STRETCH:
        raise RegionError(
            f"crs {crs!r} stretches the ground by up to {found.stretch - 1:.1%} (at most {MOST_STRETCH - 1:.0%} will "
            "do): the region is too large for one zone; make several regions, or write zones by hand as in us.toml"
        )
    return Zone(name=name, crs=crs, id_prefix=_id_prefix(name, crs), boxes=_boxes(extent))


def distortion(crs: str, land: BaseGeometry) -> Distortion:
    """Measure a CRS over the vertices of land that is given in degrees."""
    points = shapely.get_coordinates(land)
    points = points[:: max(1, len(points) // _SAMPLE)]
    return distortion_at(crs, points[:, 1], points[:, 0])


def distortion_at(crs: str, lat: Floats, lon: Floats) -> Distortion:
    """Measure a CRS at positions in degrees."""
    factors = Proj(checked_crs(crs)).get_factors(lon, lat)
    area, stretch = np.asarray(factors.areal_scale), np.asarray(factors.tissot_semimajor)
    # A position that the projection cannot take is as wrong as can be.
    worst = np.nan_to_num(np.abs(area - 1), nan=np.inf).max(), np.nan_to_num(stretch, nan=np.inf).max()
    return Distortion(float(worst[0]), float(worst[1]))


def _in_europe(extent: Extent) -> bool:
    """Whether the box lies within the area of use of EPSG:3035."""
    area = CRS.from_user_input(EUROPE).area_of_use
    return bool(
        area is not None
        and extent.west <= extent.east
        and area.west <= extent.west
        and extent.east <= area.east
        and area.south <= extent.south
        and extent.north <= area.north
    )


def _azimuthal(extent: Extent) -> str:
    lat = round((extent.south + extent.north) / 2, 1)
    lon = round((extent.west + extent.width / 2 + 180) % 360 - 180, 1)
    return f"+proj=laea +lat_0={lat:g} +lon_0={lon:g} +datum=WGS84 +units=m"


def _id_prefix(name: str, crs: str) -> str:
    """Europe's codes need no prefix, another registered CRS is named by its number, our own by the region."""
    if crs == EUROPE:
        return ""
    authority = CRS.from_user_input(crs).to_authority()
    return f"{authority[1] if authority else name}-"


def _boxes(extent: Extent) -> tuple[tuple[float, float, float, float], ...]:
    south, north = max(-90.0, extent.south - _MARGIN_DEGREES), min(90.0, extent.north + _MARGIN_DEGREES)
    south, north = round(south, 2), round(north, 2)
    width = min(360.0, extent.width + 2 * _MARGIN_DEGREES)
    west = extent.west - _MARGIN_DEGREES
    east = west + width
    if width == 360.0:
        return ((south, -180.0, north, 180.0),)
    if west < -180:
        return ((south, -180.0, north, round(east, 2)), (south, round(west + 360, 2), north, 180.0))
    if east > 180:
        return ((south, round(west, 2), north, 180.0), (south, -180.0, north, round(east - 360, 2)))
    return ((south, round(west, 2), north, round(east, 2)),)
