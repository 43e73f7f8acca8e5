"""From degrees to metres and back, in the projected CRS of each zone of a region.

The one place where coordinates change their order and unit: ``lat, lon`` in degrees outside, ``x, y`` in metres
inside. Only the map projection is applied, never a datum shift: PROJ would choose among shifts by the grid files
that happen to be installed or reachable, and the same plan would differ from machine to machine by a metre.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

from geolocate.errors import RegionError
from geolocate.geography.regions import Region

#: No edge of an outline goes half round the earth; one that seems to has come over the antimeridian.
_HALF_ROUND = 180.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def checked_crs(crs: str) -> CRS:
    """Return the CRS of a zone, or raise RegionError when it is unknown or not projected."""
    try:
        projected = CRS.from_user_input(crs)
    except CRSError:
        raise RegionError(f"crs {crs!r} of a zone: give a projected CRS such as EPSG:3035") from None
    if projected.geodetic_crs is None or not projected.is_projected:
        raise RegionError(f"crs {crs!r} of a zone is not projected: give one in metres such as EPSG:3035")
    if {axis.unit_name for axis in projected.axis_info} != {"metre"}:
        raise RegionError(f"crs {crs!r} of a zone is not in metres: give one such as EPSG:3035")
    return projected


@cache
def _transformer(crs: str) -> Transformer:
    projected = checked_crs(crs)
    return Transformer.from_crs(projected.geodetic_crs, projected, always_xy=True)


def to_metres(crs: str, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    """Project positions; those that the projection cannot take become infinite."""
    x, y = _transformer(crs).transform(np.asarray(lon, float), np.asarray(lat, float))
    return np.asarray(x, float), np.asarray(y, float)


def to_degrees(crs: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return lat, lon of projected positions."""
    lon, lat = _transformer(crs).transform(np.asarray(x, float), np.asarray(y, float), direction="INVERSE")
    return np.asarray(lat, float), np.asarray(lon, float)


def geometry_to_metres(crs: str, geometry: Any) -> Any:
    """Project a geometry, or an array of them, whose coordinates are (lon, lat)."""
    return shapely.transform(geometry, lambda lon, lat: to_metres(crs, lat, lon), interleaved=False)


def geometry_to_degrees(crs: str, geometry: Any) -> Any:
    """Return a geometry, or an array of them, as (lon, lat): so GeoParquet, and EPSG:4326 in geopandas, have them.

    What crosses the antimeridian is cut there.
    """

    def inverse(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        lat, lon = to_degrees(crs, x, y)
        return lon, lat

    degrees = shapely.transform(geometry, inverse, interleaved=False)
    if isinstance(degrees, np.ndarray):
        west, _, east, _ = shapely.bounds(degrees).T
        for row in np.flatnonzero(east - west > _HALF_ROUND):
            degrees[row] = _cut_at_antimeridian(degrees[row])
        return degrees
    west, _, east, _ = shapely.bounds(degrees)
    return _cut_at_antimeridian(degrees) if east - west > _HALF_ROUND else degrees


def _cut_at_antimeridian(geometry: BaseGeometry) -> BaseGeometry:
    """Cut the polygons that have an edge from one end of the longitudes to the other."""
    pieces = []
    for part in shapely.get_parts(geometry):
        rings = [shapely.get_coordinates(ring)[:, 0] for ring in shapely.get_rings(part)]
        if max((np.abs(np.diff(lon)).max() for lon in rings), default=0.0) <= _HALF_ROUND:
            pieces.append(part)
            continue
        whole = shapely.make_valid(
            shapely.transform(part, lambda points: points + [[360.0, 0.0]] * (points[:, :1] < 0))
        )
        pieces.append(shapely.intersection(whole, shapely.box(0, -90, 180, 90)))
        over = shapely.intersection(whole, shapely.box(180, -90, 360, 90))
        pieces.append(shapely.transform(over, lambda points: points - [[360.0, 0.0]]))
    polygons = [one for piece in pieces for one in shapely.get_parts(piece) if one.geom_type == "Polygon"]
    return shapely.multipolygons(polygons)


@dataclass(frozen=True, slots=True)
class Projected:
    """Positions in metres of their own zones; ``zone`` is an index into the region's zones, -1 outside."""

    zone: Ints
    x: Floats
    y: Floats


def zone_of(region: Region, lat: Floats, lon: Floats) -> Ints:
    """Return for each position the index of the first zone with a box around it, or -1."""
    zone = np.full(np.shape(lat), -1, dtype=np.int64)
    for index, candidate in reversed(list(enumerate(region.zones))):
        for lat_min, lon_min, lat_max, lon_max in candidate.boxes:
            zone[(lat >= lat_min) & (lat <= lat_max) & (lon >= lon_min) & (lon <= lon_max)] = index
    return zone


def project(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike) -> Projected:
    """Project each position in its own zone; positions outside every zone get NaN."""
    lats, lons = np.atleast_1d(np.asarray(lat, float)), np.atleast_1d(np.asarray(lon, float))
    zone = zone_of(region, lats, lons)
    x, y = np.full(lats.shape, np.nan), np.full(lats.shape, np.nan)
    for index, candidate in enumerate(region.zones):
        here = zone == index
        x[here], y[here] = to_metres(candidate.crs, lats[here], lons[here])
    return Projected(zone, x, y)
