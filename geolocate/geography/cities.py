"""Which city a position belongs to: the one rule by which points are planned and panoramas are labelled.

In: the largest places of a region, suburbs merged. Out: for positions, the class whose ground they stand on.

A position belongs to the relatively nearest place, the distance divided by the place's radius, and so to the class that
this place was merged into. An area (``merging.areas`` of the region's file) is a world of its own: inside it only the
places inside it count, however far they are, and outside it only the others, within ``REACH`` radii. So all of
Greater London is London, and nothing else is, unless an override says otherwise of a place. A radius is that of the
merging rule, but at least ``LEAST_RADIUS_KM``: a small town's surroundings begin where its houses end.
"""

from dataclasses import dataclass
from functools import cache
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
from geolocate.geography.regions import Region
from geolocate.geography.suburbs import city_radius_km, merge_suburbs, places_inside

#: The least radius of a city's ground, in km.
LEAST_RADIUS_KM = 5.0
#: Beyond so many radii of its relatively nearest place a position belongs to no city.
REACH = 2.0
#: The ``area`` of a place that is in none.
OUTSIDE = -1

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


def ground_radius_km(region: Region, population: npt.ArrayLike) -> Floats:
    """Return the radius of the ground that is sampled around a place of so many people, in km."""
    return np.maximum(city_radius_km(region, population), LEAST_RADIUS_KM)


@dataclass(frozen=True)
class Cities:
    """All places of the classes in the metres of their zones, largest first, with the class of each (a place_id).

    ``area`` is the number of the region's area in which a place lies, ``OUTSIDE`` for the others.
    """

    region: Region
    zone: Ints
    x: Floats
    y: Floats
    radius: Floats
    parent: Texts
    population: Floats
    area: Ints

    def relative_distance(self, rows: Ints, x: Floats, y: Floats) -> Floats:
        """Return the least distance to any of the places, each divided by that place's radius."""
        if len(rows) == 0:
            return np.full(len(x), np.inf)
        distance = np.hypot(x[:, None] - self.x[rows], y[:, None] - self.y[rows])
        return np.asarray((distance / self.radius[rows]).min(axis=1))

    def rivals_of(self, members: Ints) -> Ints:
        """Return the places of other classes whose discs overlap a member's: only they can be relatively nearer.

        The members are of one class and of one area, or of none; so are their rivals.
        """
        gap = np.hypot(self.x[:, None] - self.x[members], self.y[:, None] - self.y[members])
        overlap = (gap < self.radius[:, None] + self.radius[members]).any(axis=1)
        beside = (self.zone == self.zone[members[0]]) & (self.area == self.area[members[0]])
        return np.flatnonzero(overlap & beside & (self.parent != self.parent[members[0]]))

    def ground_of(self, area: int, zone: int, ground: BaseGeometry) -> BaseGeometry:
        """Cut some ground, in the metres of a zone, to what is inside an area, or outside of all."""
        if area != OUTSIDE:
            return shapely.intersection(ground, area_ground(self.region, area, zone))
        for number in self._areas_in(zone):
            ground = shapely.difference(ground, area_ground(self.region, number, zone))
        return ground

    def owners(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> Texts:
        """Return the class of each position; "" where no city is within reach."""
        at = project(self.region, lat, lon)
        degrees = np.column_stack([np.asarray(lat, float), np.asarray(lon, float)])
        found = np.full(len(at.zone), "", dtype=object)
        for zone in np.unique(at.zone[at.zone >= 0]).tolist():
            here = np.flatnonzero(at.zone == zone)
            nearest = self._nearest_outside(zone, at.x[here], at.y[here])
            found[here[nearest >= 0]] = self.parent[nearest[nearest >= 0]]
            for area in self._areas_in(zone):
                inside = self._inside(area, zone, here, at, degrees)
                found[inside] = self.parent[self._nearest_inside(area, zone, at.x[inside], at.y[inside])]
        return found

    def _areas_in(self, zone: int) -> list[int]:
        areas: list[int] = np.unique(self.area[(self.zone == zone) & (self.area != OUTSIDE)]).tolist()
        return areas

    def _nearest_outside(self, zone: int, x: Floats, y: Floats) -> Ints:
        """Return the row of the place, -1 beyond every reach: each place looks for the positions within its own."""
        tree = cKDTree(np.column_stack([x, y]))
        least, nearest = np.full(len(x), np.inf), np.full(len(x), -1, dtype=np.int64)
        for row in np.flatnonzero((self.zone == zone) & (self.area == OUTSIDE)):
            centre = (self.x[row], self.y[row])
            near = np.array(
                tree.query_ball_point(centre, REACH * self.radius[row], return_sorted=False), dtype=np.int64
            )
            ratio = np.hypot(x[near] - centre[0], y[near] - centre[1]) / self.radius[row]
            closer = ratio < least[near]
            least[near[closer]], nearest[near[closer]] = ratio[closer], row
        return nearest

    def _nearest_inside(self, area: int, zone: int, x: Floats, y: Floats) -> Ints:
        rows = np.flatnonzero((self.zone == zone) & (self.area == area))
        least, nearest = np.full(len(x), np.inf), np.full(len(x), rows[0], dtype=np.int64)
        if len(set(self.parent[rows])) == 1:
            return nearest
        for row in rows:
            ratio = np.hypot(x - self.x[row], y - self.y[row]) / self.radius[row]
            closer = ratio < least
            least[closer], nearest[closer] = ratio[closer], row
        return nearest

    def _inside(self, area: int, zone: int, here: Ints, at: Projected, degrees: Floats) -> Ints:
        """Return which of the positions are inside an area; off the drawn coast the nearest admin unit decides."""
        limits, reach = area_ground(self.region, area, zone), self.region.coast_tolerance_m
        x, y = at.x[here], at.y[here]
        west, south, east, north = limits.bounds
        box = (x >= west - reach) & (x <= east + reach) & (y >= south - reach) & (y <= north + reach)
        near = here[box]
        within = shapely.contains_xy(limits, at.x[near], at.y[near])
        at_sea = near[~within & ~shapely.contains_xy(_land(self.region, zone), at.x[near], at.y[near])]
        units = boundary_of(self.region).admin(degrees[at_sea, 0], degrees[at_sea, 1])["admin2"]
        off_coast = units.isin(self.region.merging.areas[area].admin2).to_numpy(bool)
        return np.concatenate([near[within], at_sea[off_coast]])


def cities_of(region: Region, top: int, overrides: Path | None = None) -> Cities:
    """Return the ``top`` largest places with their classes, suburbs merged; ``overrides`` as in ``merge_suburbs``."""
    places = top_places(region, top).reset_index(drop=True)
    return cities_from(region, places, merge_suburbs(region, places, overrides))


def cities_from(region: Region, places: pd.DataFrame, classes: pd.DataFrame) -> Cities:
    """Return places with their classes; both tables have the same rows."""
    at = project(region, places["lat"].to_numpy(), places["lon"].to_numpy())
    people = places["population"].to_numpy(float)
    area = np.full(len(places), OUTSIDE, dtype=np.int64)
    for number, candidate in enumerate(region.merging.areas):
        if (places["place_id"] == candidate.parent_id).any():  # without its city an area means nothing
            area[places_inside(candidate, places) | (places["place_id"] == candidate.parent_id).to_numpy()] = number
    radius = ground_radius_km(region, people) * 1000.0
    return Cities(region, at.zone, at.x, at.y, radius, classes["parent_id"].to_numpy(dtype=object), people, area)


@cache
def area_ground(region: Region, area: int, zone: int) -> BaseGeometry:
    """Return the admin units of the region's area of that number in the metres of a zone, prepared."""
    units = admin_units(region)
    limits = units[units["admin2"].isin(region.merging.areas[area].admin2)].geometry.to_numpy()
    ground = geometry_to_metres(region.zones[zone].crs, shapely.union_all(limits))
    shapely.prepare(ground)
    return ground


@cache
def _land(region: Region, zone: int) -> BaseGeometry:
    land = boundary_of(region).land[zone]
    shapely.prepare(land)
    return land
