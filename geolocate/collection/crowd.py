"""Where people live, as ground to be sampled: places drawn by their population, positions within their discs.

In: a region's gazetteer. Out: one ``Share`` a zone.

Sections of populated places (GeoNames PPLX) and the places inside a city's area (``merging.areas``) are left out:
their people are counted in the city's. A place's disc is the ground that plans of cities sample around it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from geolocate.collection.city_targets import in_discs
from geolocate.collection.drawing import Bools, Ints
from geolocate.collection.targets import Share, draw_members, prepared_land
from geolocate.errors import PlanError
from geolocate.geography.cities import ground_radius_km
from geolocate.geography.grids import zone_cells
from geolocate.geography.places import real_places
from geolocate.geography.projections import Floats, project
from geolocate.geography.regions import Region
from geolocate.geography.suburbs import places_inside

_SECTION = "PPLX"
#: A place with less land than this in its disc lies off the drawn coast; nothing is drawn there.
_LEAST_LAND = 0.001
_MOST_PAIRS = 5_000_000  # of a position and a disc that may hold it, at once: some 200 MB


@dataclass(frozen=True)
class CrowdGround:
    """The discs of a zone's places: centre and radius in metres, the part of the points, the land in km².

    ``neighbours`` are the discs that overlap each disc, itself among them: ``count`` of them, from ``first`` on.
    """

    zone: int
    land: BaseGeometry
    x: Floats
    y: Floats
    radius: Floats
    share: Floats
    disc_km2: Floats
    neighbours: Ints
    first: Ints
    count: Ints

    def propose(self, uniform: Floats, member: Ints) -> tuple[Floats, Floats]:
        """Return positions that are uniform over their places' discs."""
        return in_discs(uniform, self.x[member], self.y[member], self.radius[member])

    def accepts(self, x: Floats, y: Floats) -> Bools:
        """Accept what is on land."""
        return np.asarray(shapely.contains_xy(self.land, x, y))

    def area_km2(self, x: Floats, y: Floats, member: Ints) -> Floats:
        """Return the inverse of the density, summed over all discs that hold a position in its member's disc."""
        density = np.empty(len(x))
        chunks = np.cumsum(self.count[member]) // _MOST_PAIRS
        for rows in np.split(np.arange(len(x)), np.flatnonzero(np.diff(chunks)) + 1):
            density[rows] = self._density(x[rows], y[rows], member[rows])
        return np.asarray(1.0 / density)

    def _density(self, x: Floats, y: Floats, member: Ints) -> Floats:
        if len(x) == 0:
            return np.empty(0)
        count = self.count[member]
        end = np.cumsum(count)
        place = self.neighbours[np.arange(end[-1]) + np.repeat(self.first[member] - (end - count), count)]
        dx, dy = np.repeat(x, count) - self.x[place], np.repeat(y, count) - self.y[place]
        held = dx * dx + dy * dy <= self.radius[place] ** 2 * (1 + 1e-9)
        return np.asarray(np.add.reduceat(np.where(held, self.share[place] / self.disc_km2[place], 0.0), end - count))


@dataclass(frozen=True)
class _Crowd:
    """All places of a region that have people and land, zone after zone."""

    places: pd.DataFrame
    zone: Ints
    grounds: tuple[CrowdGround, ...]


def population_shares(region: Region, key: str, total: int) -> Iterator[Share]:
    """Draw each point's place with probability proportional to its people, then a position on land in its disc."""
    crowd = _crowd_of(region)
    number, words, place = draw_members(key, total, crowd.places["population"].to_numpy(float))
    for ground in crowd.grounds:
        rows = np.flatnonzero(crowd.zone == ground.zone)
        here = np.flatnonzero(crowd.zone[place] == ground.zone)
        member = np.searchsorted(rows, place[here])
        ids, names = (crowd.places[name].iloc[rows].astype(str).tolist() for name in ("place_id", "name"))
        yield Share(ground, ids, names, member, number[here], member, words[here], total)


@cache
def _crowd_of(region: Region) -> _Crowd:
    places = _counted_once(region)
    at = project(region, places["lat"].to_numpy(), places["lon"].to_numpy())
    radius = ground_radius_km(region, places["population"]) * 1000.0
    disc_km2 = np.zeros(len(places))
    for zone in range(len(region.zones)):
        here = at.zone == zone
        disc_km2[here] = _land_km2(region, zone, at.x[here], at.y[here], radius[here])
    kept = disc_km2 >= _LEAST_LAND * np.pi * radius**2 / 1e6
    if not kept.any():
        raise PlanError(f"region {region.name!r} has no place with people on land: see the column population")
    people = places["population"].to_numpy(float)
    share = people / people[kept].sum()
    grounds = []
    for zone in np.unique(at.zone[kept]).tolist():
        here = kept & (at.zone == zone)
        discs = (at.x[here], at.y[here], radius[here])
        land = prepared_land(region, zone)
        grounds.append(CrowdGround(zone, land, *discs, share[here], disc_km2[here], *_overlapping(*discs)))
    return _Crowd(places[kept], at.zone[kept], tuple(grounds))


def _counted_once(region: Region) -> pd.DataFrame:
    """Return the places with people, without those whose people are counted in another's."""
    places = real_places(region)
    twice = (places["kind"] == _SECTION).to_numpy()
    for area in region.merging.areas:
        if (places["place_id"] == area.parent_id).any():
            twice = twice | (places_inside(area, places) & (places["place_id"] != area.parent_id).to_numpy())
    return places[~twice & (places["population"] > 0)].reset_index(drop=True)


def _land_km2(region: Region, zone: int, x: Floats, y: Floats, radius: Floats) -> Floats:
    """Return the land of each disc, cut from the cells of the usual grid: they are far simpler than the whole coast."""
    cells = zone_cells(region, round(region.grid_km * 1000))[zone]
    discs = shapely.buffer(shapely.points(x, y), radius, quad_segs=32)
    if not cells.pieces:
        return np.zeros(len(x))
    pieces = np.array([cells.land[piece] for piece in cells.pieces])
    disc, piece = cells.tree.query(discs, predicate="intersects")
    land = np.bincount(disc, shapely.area(shapely.intersection(discs[disc], pieces[piece])), len(x))
    # A polygon of 128 corners is a little smaller than its circle.
    return np.asarray(land / shapely.area(discs) * np.pi * radius**2 / 1e6)


def _overlapping(x: Floats, y: Floats, radius: Floats) -> tuple[Ints, Ints, Ints]:
    """Return for each disc the discs that overlap it, one after the other; where they begin, and how many they are."""
    centres = np.column_stack([x, y])
    found = cKDTree(centres).query_ball_point(centres, radius + radius.max(), return_sorted=True)
    disc = np.repeat(np.arange(len(x)), [len(rows) for rows in found])
    other: npt.NDArray[np.int64] = np.concatenate([np.asarray(rows, dtype=np.int64) for rows in found])
    near = np.hypot(x[disc] - x[other], y[disc] - y[other]) <= (radius[disc] + radius[other]) * (1 + 1e-9)
    count = np.bincount(disc[near], minlength=len(x))
    return other[near], np.cumsum(count) - count, count
