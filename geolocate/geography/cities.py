"""Which city a position belongs to: the one rule by which points are planned and panoramas are labelled.

In: the largest places of a region, suburbs merged. Out: for positions, the class whose ground they stand on.

Inside a city's area (``merging.areas`` of the region's file) a position belongs to that city, and nowhere else does
it. All other ground belongs to the relatively nearest place: the distance divided by the place's radius, and so to the
class that this place was merged into, if it is within ``REACH`` radii. A radius is that of the merging rule, but at
least ``LEAST_RADIUS_KM``: a small town's surroundings begin where its houses end.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from geolocate.geography.boundaries import admin_units, boundary_of
from geolocate.geography.places import top_places
from geolocate.geography.projections import Floats, Projected, geometry_to_metres, project
from geolocate.geography.regions import Area, Region
from geolocate.geography.suburbs import area_of, city_radius_km, merge_suburbs

#: The least radius of a city's ground, in km.
LEAST_RADIUS_KM = 5.0
#: Beyond so many radii of its relatively nearest place a position belongs to no city.
REACH = 2.0

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


def ground_radius_km(region: Region, population: npt.ArrayLike) -> Floats:
    """Return the radius of the ground that is sampled around a place of so many people, in km."""
    return np.maximum(city_radius_km(region, population), LEAST_RADIUS_KM)


@dataclass(frozen=True)
class Cities:
    """All places of the classes in the metres of their zones, largest first, with the class of each (a place_id)."""

    region: Region
    zone: Ints
    x: Floats
    y: Floats
    radius: Floats
    parent: Texts
    population: Floats

    @cached_property
    def bounded(self) -> Bools:
        """Which places are of a class with an area: these have no ground outside it."""
        return np.array([area_of(self.region, str(parent)) is not None for parent in self.parent], dtype=bool)

    def relative_distance(self, rows: Ints, x: Floats, y: Floats) -> Floats:
        """Return the least distance to any of the places, each divided by that place's radius."""
        if len(rows) == 0:
            return np.full(len(x), np.inf)
        distance = np.hypot(x[:, None] - self.x[rows], y[:, None] - self.y[rows])
        return np.asarray((distance / self.radius[rows]).min(axis=1))

    def rivals_of(self, members: Ints) -> Ints:
        """Return the places of other classes whose discs overlap a member's: only they can be relatively nearer."""
        gap = np.hypot(self.x[:, None] - self.x[members], self.y[:, None] - self.y[members])
        overlap = (gap < self.radius[:, None] + self.radius[members]).any(axis=1)
        other = (self.zone == self.zone[members[0]]) & (self.parent != self.parent[members[0]])
        return np.flatnonzero(overlap & other & ~self.bounded)

    def limits(self, place_id: str) -> BaseGeometry | None:
        """Return the area of a class in the metres of its zone, or None where distance decides."""
        area = area_of(self.region, place_id)
        rows = np.flatnonzero(self.parent == place_id)
        return area_ground(self.region, area, int(self.zone[rows[0]])) if area and len(rows) else None

    def areas_in(self, zone: int) -> BaseGeometry:
        """Return the ground of all classes with an area in a zone, in its metres: there nobody else has any."""
        here = [str(parent) for parent in dict.fromkeys(self.parent[(self.zone == zone) & self.bounded])]
        limits = [self.limits(place_id) for place_id in here]
        return shapely.union_all(np.array([ground for ground in limits if ground is not None], dtype=object))

    def owners(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> Texts:
        """Return the class of each position; "" where no city is within reach."""
        at = project(self.region, lat, lon)
        found = np.full(len(at.zone), "", dtype=object)
        for zone in np.unique(at.zone[at.zone >= 0]):
            here = np.flatnonzero(at.zone == zone)
            nearest = self._relatively_nearest(int(zone), at.x[here], at.y[here])
            found[here[nearest >= 0]] = self.parent[nearest[nearest >= 0]]
        for place_id in dict.fromkeys(self.parent[self.bounded]):
            found[self._inside(str(place_id), at, np.asarray(lat, float), np.asarray(lon, float))] = place_id
        return found

    def _relatively_nearest(self, zone: int, x: Floats, y: Floats) -> Ints:
        """Return the row of the place, -1 beyond every reach: each place looks for the positions within its own."""
        tree = cKDTree(np.column_stack([x, y]))
        least, nearest = np.full(len(x), np.inf), np.full(len(x), -1, dtype=np.int64)
        for row in np.flatnonzero((self.zone == zone) & ~self.bounded):
            centre = (self.x[row], self.y[row])
            near = np.array(
                tree.query_ball_point(centre, REACH * self.radius[row], return_sorted=False), dtype=np.int64
            )
            ratio = np.hypot(x[near] - centre[0], y[near] - centre[1]) / self.radius[row]
            closer = ratio < least[near]
            least[near[closer]], nearest[near[closer]] = ratio[closer], row
        return nearest

    def _inside(self, place_id: str, at: Projected, lat: Floats, lon: Floats) -> Ints:
        """Return the positions inside an area; off the drawn coast the nearest admin unit decides."""
        limits, area = self.limits(place_id), area_of(self.region, place_id)
        if limits is None or area is None:
            return np.array([], dtype=np.int64)
        zone = int(self.zone[np.flatnonzero(self.parent == place_id)[0]])
        reach = self.region.coast_tolerance_m
        west, south, east, north = limits.bounds
        box = (at.x >= west - reach) & (at.x <= east + reach) & (at.y >= south - reach) & (at.y <= north + reach)
        near = np.flatnonzero(box & (at.zone == zone))
        within = shapely.contains_xy(limits, at.x[near], at.y[near])
        at_sea = near[~within & ~shapely.contains_xy(_land(self.region, zone), at.x[near], at.y[near])]
        off_coast = boundary_of(self.region).admin(lat[at_sea], lon[at_sea])["admin2"].isin(area.admin2).to_numpy(bool)
        return np.concatenate([near[within], at_sea[off_coast]])


def cities_of(region: Region, top: int, overrides: Path | None = None) -> Cities:
    """Return the ``top`` largest places with their classes, suburbs merged; ``overrides`` as in ``merge_suburbs``."""
    places = top_places(region, top).reset_index(drop=True)
    return cities_from(region, places, merge_suburbs(region, places, overrides))


def cities_from(region: Region, places: pd.DataFrame, classes: pd.DataFrame) -> Cities:
    """Return places with their classes; both tables have the same rows."""
    at = project(region, places["lat"].to_numpy(), places["lon"].to_numpy())
    people = places["population"].to_numpy(float)
    parent = classes["parent_id"].to_numpy(dtype=object)
    return Cities(region, at.zone, at.x, at.y, ground_radius_km(region, people) * 1000.0, parent, people)


@cache
def area_ground(region: Region, area: Area, zone: int) -> BaseGeometry:
    """Return the admin units of an area in the metres of a zone, prepared."""
    units = admin_units(region)
    limits = shapely.union_all(units[units["admin2"].isin(area.admin2)].geometry.to_numpy())
    ground = geometry_to_metres(region.zones[zone].crs, limits)
    shapely.prepare(ground)
    return ground


@cache
def _land(region: Region, zone: int) -> BaseGeometry:
    land = boundary_of(region).land[zone]
    shapely.prepare(land)
    return land
