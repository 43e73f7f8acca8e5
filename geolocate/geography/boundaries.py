"""Where a region ends, and which admin unit a position lies in.

In: the region's boundary.parquet and admin.parquet. Out: vectorised tests of positions.
"""

import itertools
import threading
from dataclasses import dataclass
from functools import cache, cached_property

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from geolocate.geography.projections import Floats, geometry_to_degrees, geometry_to_metres, project
from geolocate.geography.regions import Region, region_file

Bools = npt.NDArray[np.bool_]

_OUTLINE_TOLERANCE_M = 1000.0

# Shards are searched in threads that share a boundary. Two threads that ask the same prepared geometry at once
# corrupt the memory of the process (seen with shapely 2.2.0 on GEOS 3.14.1).
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Boundary:
    """A region's land, zone by zone; large geometries are read and projected on first use."""

    region: Region

    @cached_property
    def land(self) -> tuple[BaseGeometry, ...]:
        """The land of each zone, in metres of the zone's CRS."""
        return tuple(self._read(zone.name, zone.crs, "land") for zone in self.region.zones)

    @cached_property
    def _tolerant(self) -> tuple[BaseGeometry, ...]:
        """The land and a strip of sea beside it, without the ground of neighbouring countries."""
        grown = []
        for zone, land in zip(self.region.zones, self.land, strict=True):
            strip = shapely.buffer(land, self.region.coast_tolerance_m, quad_segs=2)
            neighbour = self._read(zone.name, zone.crs, "neighbour")
            grown.append(strip.difference(neighbour))
            shapely.prepare(grown[-1])
        return tuple(grown)

    def _read(self, zone: str, crs: str, role: str) -> BaseGeometry:
        rows = _boundary_rows(self.region)
        rows = rows[(rows["zone"] == zone) & (rows["role"] == role)]
        geometry = geometry_to_metres(crs, shapely.union_all(rows.geometry.to_numpy()))
        if geometry.is_valid:
            return geometry
        parts = shapely.get_parts(shapely.make_valid(geometry))
        # Two halves that the antimeridian had cut touch here, and leave the line behind on which they do.
        return shapely.union_all([part for part in parts if part.geom_type in ("Polygon", "MultiPolygon")])

    @cached_property
    def outline(self) -> BaseGeometry:
        """The land as (lon, lat), simplified to about 1 km, for drawing maps."""
        parts = []
        for zone, land in zip(self.region.zones, self.land, strict=True):
            simple = shapely.simplify(land, _OUTLINE_TOLERANCE_M)
            parts.extend(shapely.get_parts(geometry_to_degrees(zone.crs, simple)))
        return shapely.multipolygons([part for part in parts if not part.is_empty])

    def contains(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> Bools:
        """Say for each position whether it is in the region, or off its coast by no more than the tolerance."""
        at = project(self.region, lat, lon)
        inside = np.zeros(at.zone.shape, dtype=bool)
        with _ONE_AT_A_TIME:
            for index, area in enumerate(self._tolerant):
                here = at.zone == index
                inside[here] = shapely.contains_xy(area, at.x[here], at.y[here])
        return inside

    def admin(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> pd.DataFrame:
        """Return country (ISO 3166-1), admin1 (ISO 3166-2) and admin2 of each position; None outside the region.

        ``admin2`` is the FIPS county code in the US and the GSS code of the authority in the UK. A position off the
        coast takes the nearest unit.
        """
        at = project(self.region, lat, lon)
        inside = self.contains(lat, lon)
        found = np.full((len(at.zone), 3), None, dtype=object)
        for index, (tree, codes) in enumerate(_admin_trees(self.region)):
            here = np.flatnonzero((at.zone == index) & inside)
            if len(here) and len(codes):
                with _ONE_AT_A_TIME:
                    found[here, 1:] = codes[_nearest_units(tree, at.x[here], at.y[here])]
            found[here, 0] = self.region.country
        return pd.DataFrame(found, columns=["country", "admin1", "admin2"], dtype=object)


def _nearest_units(tree: shapely.STRtree, x: Floats, y: Floats) -> npt.NDArray[np.int64]:
    """Return the unit that each position is in, or else the nearest: measuring a distance takes 50 times as long."""
    found = np.full(len(x), -1, dtype=np.int64)
    points = shapely.points(x, y)
    point, unit = tree.query(points)  # by their boxes
    order = np.argsort(unit, kind="stable")
    starts = np.searchsorted(unit[order], np.arange(len(tree.geometries) + 1))
    for number, (start, end) in enumerate(itertools.pairwise(starts.tolist())):
        near = point[order[start:end]]
        near = near[shapely.contains_xy(tree.geometries[number], x[near], y[near])]
        found[near[found[near] < 0]] = number
    rest = np.flatnonzero(found < 0)
    if len(rest):
        at, unit = tree.query_nearest(points[rest], all_matches=False)
        found[rest[at]] = unit
    return found


@cache
def boundary_of(region: Region) -> Boundary:
    """Return the region's boundary; nothing is read before it is used."""
    return Boundary(region)


@cache
def _boundary_rows(region: Region) -> gpd.GeoDataFrame:
    return gpd.read_parquet(region_file(region, "boundary.parquet"))


@cache
def admin_units(region: Region) -> gpd.GeoDataFrame:
    """Return the admin units: zone, admin1, admin1_name, admin2, admin2_name, geometry (EPSG:4326)."""
    return gpd.read_parquet(region_file(region, "admin.parquet"))


@cache
def _admin_trees(region: Region) -> list[tuple[shapely.STRtree, npt.NDArray[np.object_]]]:
    units = admin_units(region)
    trees = []
    for zone in region.zones:
        here = units[units["zone"] == zone.name]
        metres = [geometry_to_metres(zone.crs, geometry) for geometry in here.geometry]
        shapely.prepare(metres)
        trees.append((shapely.STRtree(metres), here[["admin1", "admin2"]].to_numpy(dtype=object)))
    return trees
