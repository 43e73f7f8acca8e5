"""The ground that a plan samples, and which of its points fall where.

In: a region. Out: ``Share``s: a target (the cells of a zone, a city's surroundings), the points that are drawn on it,
and how much land each of them stands for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geolocate.collection.drawing import Bools, Ground, Ints, key_word
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cells import cell_codes
from geolocate.geography.grids import grid_cells, zone_cells
from geolocate.geography.hashing import Words, fraction, mix, mix_arrays
from geolocate.geography.projections import Floats
from geolocate.geography.regions import Region

#: Which cell or place a point falls to is drawn from bits of their own.
WHERE = 0


class Target(Ground, Protocol):
    """A zone's ground, or a part of it; its members are cells or places."""

    @property
    def zone(self) -> int:
        """The index of the region's zone in whose metres the positions are."""
        ...

    def area_km2(self, x: Floats, y: Floats, member: Ints) -> Floats:
        """Return the land that all points of the share's sample stand for together, as seen from each position.

        That is the inverse of the density, in 1/km², with which one of those points falls on the position.
        """
        ...


@dataclass(frozen=True)
class Share:
    """The points that are drawn on one target: ``group`` (index into ``group_ids``), ``number``, ``member``, ``words``.

    The four have one entry a point. ``words`` are the point's own random-looking bits. ``sample_size`` is how many
    points the target's ``area_km2`` is divided among.
    """

    target: Target
    group_ids: list[str]
    group_names: list[str]
    group: Ints
    number: Ints
    member: Ints
    words: Words
    sample_size: int


@dataclass(frozen=True)
class CellGround:
    """The cells of a zone. A cell may consist of several squares when slivers joined it; its land is all on them.

    ``corners`` (S, 2) of all squares, cell after cell: ``count`` of them, from ``first`` on. ``stands_for_km2`` is the
    land that the points drawn in each cell stand for.
    """

    zone: int
    land: BaseGeometry
    size_m: int
    corners: Floats
    first: Ints
    count: Ints
    stands_for_km2: Floats

    def propose(self, uniform: Floats, member: Ints) -> tuple[Floats, Floats]:
        """Return positions that are uniform over the squares of their cells."""
        corner = self.corners[self.first[member] + (uniform[:, 2] * self.count[member]).astype(np.int64)]
        return corner[:, 0] + uniform[:, 0] * self.size_m, corner[:, 1] + uniform[:, 1] * self.size_m

    def accepts(self, x: Floats, y: Floats) -> Bools:
        """Accept what is on land."""
        return np.asarray(shapely.contains_xy(self.land, x, y))

    def area_km2(self, x: Floats, y: Floats, member: Ints) -> Floats:
        """Return the same land for every position of a cell."""
        return self.stands_for_km2[member]


@dataclass(frozen=True)
class _Cells:
    """The cells of a zone in the order of their codes."""

    ground: CellGround
    codes: list[str]
    names: list[str]
    land_km2: Floats


def grid_shares(region: Region, key: str, cell_km: float | None, per_place: int) -> Iterator[Share]:
    """Draw ``per_place`` points in each cell of the region's grid; ``cell_km`` None takes the usual cells."""
    for cells in _cells_of(region, region.grid_km if cell_km is None else cell_km):
        member = np.repeat(np.arange(len(cells.codes)), per_place)
        number = np.tile(np.arange(per_place), len(cells.codes))
        keys = np.array([key_word(f"{key}|{code}") for code in cells.codes], dtype=np.uint64)
        words = mix_arrays(0, keys[member], number)
        yield Share(cells.ground, cells.codes, cells.names, member, number, member, words, per_place)


def uniform_shares(region: Region, key: str, total: int) -> Iterator[Share]:
    """Draw a simple random sample of the region's land: each point on its own, in a cell drawn by its land.

    The cells are those of the region's usual grid. They decide where a point is drawn again, and nothing else.
    """
    zones = _cells_of(region, region.grid_km)
    land = np.concatenate([cells.land_km2 for cells in zones])
    number, words, cell = draw_members(key, total, land)
    start = 0
    for cells in zones:
        here = (cell >= start) & (cell < start + len(cells.codes))
        ground = _standing_for(cells.ground, np.full(len(cells.codes), land.sum()))
        member = cell[here] - start
        yield Share(ground, cells.codes, cells.names, member, number[here], member, words[here], total)
        start += len(cells.codes)


def draw_members(key: str, total: int, weights: Floats) -> tuple[Ints, Words, Ints]:
    """Draw a member for each of ``total`` points with probability proportional to the weights.

    Returns number, words and member of the points, ordered by member, then by number.
    """
    number = np.arange(total)
    words = mix_arrays(0, np.full(total, key_word(key), dtype=np.uint64), number)
    share = np.cumsum(weights) / weights.sum()
    member = np.minimum(np.searchsorted(share, fraction(mix_arrays(WHERE, words)), "right"), len(weights) - 1)
    order = np.argsort(member, kind="stable")
    return number[order], words[order], member[order]


def spread(key: str, number: Ints) -> tuple[Words, Floats]:
    """Return the words of a group's points, and for each a number from 0 to 1, together as even as can be.

    They are steps of the golden ratio from a random start: any count of them keeps to given shares within a point or
    two, a longer row begins with the shorter one, and each alone is uniform.
    """
    word = key_word(key)
    words = mix_arrays(0, np.full(len(number), word, dtype=np.uint64), number)
    start = fraction(np.array([mix(word, WHERE)], dtype=np.uint64))
    return words, np.asarray((start + number * 0.6180339887498949) % 1.0)


def _standing_for(ground: CellGround, km2: Floats) -> CellGround:
    return CellGround(ground.zone, ground.land, ground.size_m, ground.corners, ground.first, ground.count, km2)


def _cells_of(region: Region, cell_km: float) -> list[_Cells]:
    """Return the cells of each zone; raises PlanError for a cell size that is none."""
    frame = grid_cells(region, cell_km).set_index("cell_id")
    found = []
    for cells in zone_cells(region, round(cell_km * 1000)):
        if not cells.members:
            continue
        homes = np.array(list(cells.members))
        codes = cell_codes(region.zones[cells.zone].id_prefix, cells.size_m, homes[:, 0], homes[:, 1])
        squares = [cells.members[(int(column), int(row))] for column, row in homes]
        order = sorted(range(len(codes)), key=lambda cell: codes[cell])
        land_km2 = np.array([sum(cells.land[square].area for square in squares[cell]) for cell in order]) / 1e6
        count = np.array([len(squares[cell]) for cell in order])
        corners = np.array([square for cell in order for square in squares[cell]], float) * cells.size_m
        land = prepared_land(region, cells.zone)
        ground = CellGround(cells.zone, land, cells.size_m, corners, np.cumsum(count) - count, count, land_km2)
        codes = [codes[cell] for cell in order]
        found.append(_Cells(ground, codes, frame.loc[codes, "name"].tolist(), land_km2))
    return found


def prepared_land(region: Region, zone: int) -> BaseGeometry:
    """Return a zone's land, prepared for many questions."""
    land = boundary_of(region).land[zone]
    shapely.prepare(land)
    return land
