"""The surroundings of cities, as ground to be sampled.

In: the largest places of a region, suburbs merged. Out: one ``Share`` a class.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from geolocate.collection.drawing import Bools, Ints
from geolocate.collection.targets import Share, spread
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cities import Cities, cities_from
from geolocate.geography.places import top_places
from geolocate.geography.projections import Floats
from geolocate.geography.regions import Region
from geolocate.geography.suburbs import merge_suburbs

_LATTICE = 60  # squares across a city's disc when its land is measured: an area within about 1 %


@dataclass(frozen=True)
class CityGround:
    """A city's places in one area, or outside of all; the land of their discs; and the places that may be nearer."""

    members: Ints
    rivals: Ints
    land: BaseGeometry


@dataclass(frozen=True)
class CityTarget:
    """The surroundings of a city and its suburbs: the discs of their radii, on land, relatively nearest to this city.

    Which positions are its own follows the rule of ``geography.cities``, by which panoramas are labelled. Members are
    the city's places. A position in several discs is met more often, and so stands for less land: ``area_km2`` is the
    inverse of the sum of the members' densities there (Horvitz and Thompson).
    """

    zone: int
    cities: Cities
    members: Ints
    grounds: tuple[CityGround, ...]
    disc_km2: Floats

    @property
    def share(self) -> Floats:
        """The part of the points that is drawn around each member, by population."""
        people = self.cities.population[self.members]
        return np.asarray(people / people.sum())

    def propose(self, uniform: Floats, member: Ints) -> tuple[Floats, Floats]:
        """Return positions that are uniform over the members' discs."""
        row = self.members[member]
        return in_discs(uniform, self.cities.x[row], self.cities.y[row], self.cities.radius[row])

    def accepts(self, x: Floats, y: Floats) -> Bools:
        """Accept what is on land and relatively nearest to this class: the distance divided by the radius."""
        accepted = np.zeros(len(x), dtype=bool)
        for ground in self.grounds:
            own = self.cities.relative_distance(ground.members, x, y)
            nearest = own <= self.cities.relative_distance(ground.rivals, x, y)
            accepted |= nearest & shapely.contains_xy(ground.land, x, y)
        return accepted

    def area_km2(self, x: Floats, y: Floats, member: Ints) -> Floats:
        """Return the inverse of the density with which one point falls on each position."""
        rows = self.members
        distance = np.hypot(x[:, None] - self.cities.x[rows], y[:, None] - self.cities.y[rows])
        density = np.where(distance <= self.cities.radius[rows], self.share / self.disc_km2, 0.0)
        return np.asarray(1.0 / density.sum(axis=1))


def in_discs(uniform: Floats, x: Floats, y: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """Turn uniform numbers, shape (N, 3), into positions that are uniform over discs."""
    reach, angle = radius * np.sqrt(uniform[:, 0]), 2 * np.pi * uniform[:, 1]
    return x + reach * np.cos(angle), y + reach * np.sin(angle)


def city_shares(region: Region, key: str, top: int, per_place: int) -> Iterator[Share]:
    """Draw ``per_place`` points around each class of the ``top`` largest places, largest first."""
    places = top_places(region, top).reset_index(drop=True)
    classes = merge_suburbs(region, places)
    cities = cities_from(region, places, classes)
    number = np.arange(per_place)
    for row in np.flatnonzero(classes["parent_id"] == classes["place_id"]):
        place_id, name = str(places["place_id"].iloc[row]), str(places["name"].iloc[row])
        target = _city_target(region, places, cities, int(row))
        words, position = spread(f"{key}|{place_id}", number)
        member = np.minimum(np.searchsorted(np.cumsum(target.share), position, "right"), len(target.members) - 1)
        yield Share(target, [place_id], [name], np.zeros_like(number), number, member, words, per_place)


def _city_target(region: Region, places: pd.DataFrame, cities: Cities, row: int) -> CityTarget:
    members = np.flatnonzero(cities.parent == places["place_id"].iloc[row])
    areas = [members[cities.area[members] == area] for area in np.unique(cities.area[members])]
    grounds = tuple(_city_ground(region, cities, rows) for rows in areas)
    target = CityTarget(int(cities.zone[row]), cities, members, grounds, np.ones(len(members)))
    return replace(target, disc_km2=np.array([_disc_km2(target, int(member)) for member in members]))


def _city_ground(region: Region, cities: Cities, members: Ints) -> CityGround:
    zone, area = int(cities.zone[members[0]]), int(cities.area[members[0]])
    discs = shapely.buffer(shapely.points(cities.x[members], cities.y[members]), cities.radius[members] * 1.01)
    land = shapely.intersection(boundary_of(region).land[zone], shapely.union_all(discs))
    land = cities.ground_of(area, zone, land)
    shapely.prepare(land)
    return CityGround(members, cities.rivals_of(members), land)


def _disc_km2(target: CityTarget, row: int) -> float:
    """Measure the part of a member's disc that the target accepts, on a lattice of squares."""
    radius = float(target.cities.radius[row])
    step = 2 * radius / _LATTICE
    centres = (np.arange(_LATTICE) + 0.5) * step - radius
    dx, dy = (axis.ravel() for axis in np.meshgrid(centres, centres))
    inside = np.hypot(dx, dy) <= radius
    accepted = target.accepts(target.cities.x[row] + dx[inside], target.cities.y[row] + dy[inside])
    return max(int(accepted.sum()), 1) * step**2 / 1e6
