"""The ground that a plan samples: the land of a cell, or the built-up surroundings of a city.

In: a region. Out: one ``Target`` a group, which proposes positions, says which of them are its own, and how much
land each stands for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cells import cell_code
from geolocate.geography.cities import Cities, cities_from
from geolocate.geography.grids import grid_cells, zone_cells
from geolocate.geography.places import top_places
from geolocate.geography.projections import Floats
from geolocate.geography.regions import Region
from geolocate.geography.suburbs import merge_suburbs

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_GOLDEN = 0.6180339887498949
_LATTICE = 60  # squares across a city's disc when its land is measured: an area within about 1 %


class Target(Protocol):
    """A group's ground, in metres of its zone."""

    @property
    def group_id(self) -> str:
        """The cell's id, or the place_id of the class."""
        ...

    @property
    def group_name(self) -> str:
        """What people call it."""
        ...

    @property
    def zone(self) -> int:
        """The index of the region's zone in whose metres the positions are."""
        ...

    def members_of(self, numbers: Ints) -> Ints:
        """Return which member (a square, or a suburb) each point number is drawn in."""
        ...

    def propose(self, uniform: Floats, member: Ints) -> tuple[Floats, Floats]:
        """Turn uniform numbers, shape (N, 3), into positions that are uniform around their members."""
        ...

    def accepts(self, x: Floats, y: Floats) -> Bools:
        """Say which positions are on the group's own ground."""
        ...

    def area_km2(self, x: Floats, y: Floats) -> Floats:
        """Return the land that all of the group's points together stand for, as seen from each position."""
        ...


@dataclass(frozen=True)
class CellTarget:
    """The land of one grid cell, which may consist of several squares when slivers joined it."""

    group_id: str
    group_name: str
    zone: int
    land: BaseGeometry
    squares: npt.NDArray[np.float64]
    size_m: float

    def members_of(self, numbers: Ints) -> Ints:
        """Return 0 throughout: a cell is sampled as a whole."""
        return np.zeros_like(numbers)

    def propose(self, uniform: Floats, member: Ints) -> tuple[Floats, Floats]:
        """Return positions that are uniform over the cell's squares."""
        corner = self.squares[(uniform[:, 2] * len(self.squares)).astype(int)]
        return corner[:, 0] + uniform[:, 0] * self.size_m, corner[:, 1] + uniform[:, 1] * self.size_m

    def accepts(self, x: Floats, y: Floats) -> Bools:
        """Accept what is on land."""
        return np.asarray(shapely.contains_xy(self.land, x, y))

    def area_km2(self, x: Floats, y: Floats) -> Floats:
        """Return the land of the cell, the same for every position."""
        return np.full(len(x), self.land.area / 1e6)


def cell_targets(region: Region, cell_km: float) -> Iterator[CellTarget]:
    """Return the cells of the region's grid in the order of their ids."""
    names = grid_cells(region, cell_km).set_index("cell_id")["name"]
    targets = []
    for cells in zone_cells(region, round(cell_km * 1000)):
        for home, squares in cells.members.items():
            code = cell_code(region.zones[cells.zone].id_prefix, cells.size_m, *home)
            land = cells.geometry(home)
            shapely.prepare(land)
            corners = np.array(squares, float) * cells.size_m
            targets.append(CellTarget(code, str(names[code]), cells.zone, land, corners, cells.size_m))
    return iter(sorted(targets, key=lambda target: target.group_id))


@dataclass(frozen=True)
class CityGround:
    """A city's places in one area, or outside of all; the land of their discs; and the places that may be nearer."""

    members: Ints
    rivals: Ints
    land: BaseGeometry


@dataclass(frozen=True)
class CityTarget:
    """The surroundings of a city and its suburbs: the discs of their radii, on land, relatively nearest to this city.

    Which positions are its own follows the rule of ``geography.cities``, by which panoramas are labelled.
    Points are spread over the members by population. A position in several discs is met more often, and so stands
    for less land: ``area_km2`` divides by the sum of the members' densities there (Horvitz and Thompson).
    """

    group_id: str
    group_name: str
    zone: int
    cities: Cities
    members: Ints
    grounds: tuple[CityGround, ...]
    disc_km2: Floats

    @property
    def _share(self) -> Floats:
        people = self.cities.population[self.members]
        return np.asarray(people / people.sum())

    def members_of(self, numbers: Ints) -> Ints:
        """Spread the points over the members by population."""
        # A golden-ratio sequence keeps to the shares for any number of points, and a longer one begins with it.
        position = (0.5 + numbers * _GOLDEN) % 1.0
        return np.minimum(np.searchsorted(np.cumsum(self._share), position), len(self.members) - 1)

    def propose(self, uniform: Floats, member: Ints) -> tuple[Floats, Floats]:
        """Return positions that are uniform over the members' discs."""
        row = self.members[member]
        radius = self.cities.radius[row] * np.sqrt(uniform[:, 0])
        angle = 2 * np.pi * uniform[:, 1]
        return self.cities.x[row] + radius * np.cos(angle), self.cities.y[row] + radius * np.sin(angle)

    def accepts(self, x: Floats, y: Floats) -> Bools:
        """Accept what is on land and relatively nearest to this class: the distance divided by the radius."""
        accepted = np.zeros(len(x), dtype=bool)
        for ground in self.grounds:
            own = self.cities.relative_distance(ground.members, x, y)
            nearest = own <= self.cities.relative_distance(ground.rivals, x, y)
            accepted |= nearest & shapely.contains_xy(ground.land, x, y)
        return accepted

    def area_km2(self, x: Floats, y: Floats) -> Floats:
        """Return the inverse of the density with which one point falls on each position."""
        rows = self.members
        distance = np.hypot(x[:, None] - self.cities.x[rows], y[:, None] - self.cities.y[rows])
        density = np.where(distance <= self.cities.radius[rows], self._share / self.disc_km2, 0.0)
        return np.asarray(1.0 / density.sum(axis=1))


def city_targets(region: Region, top: int) -> Iterator[CityTarget]:
    """Return the classes of the ``top`` largest places, largest first, suburbs merged."""
    places = top_places(region, top).reset_index(drop=True)
    classes = merge_suburbs(region, places)
    cities = cities_from(region, places, classes)
    for row in np.flatnonzero(classes["parent_id"] == classes["place_id"]):
        yield _city_target(region, places, cities, int(row))


def _city_target(region: Region, places: pd.DataFrame, cities: Cities, row: int) -> CityTarget:
    place_id, zone = str(places["place_id"].iloc[row]), int(cities.zone[row])
    members = np.flatnonzero(cities.parent == place_id)
    areas = [members[cities.area[members] == area] for area in np.unique(cities.area[members])]
    grounds = tuple(_city_ground(region, cities, rows) for rows in areas)
    target = CityTarget(place_id, str(places["name"].iloc[row]), zone, cities, members, grounds, np.ones(len(members)))
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
