"""Cut a region's land into square cells of equal area.

In: a region and a cell size. Out: cells with standard ids, clipped to the land; what is less than a tenth of a
full cell joins the neighbour with which it shares the longest edge.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from geolocate.errors import PlanError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cells import Ints, Texts, cell_codes, cell_index, cell_keys
from geolocate.geography.gridref import grid_reference
from geolocate.geography.projections import Floats, geometry_to_degrees, project, to_degrees
from geolocate.geography.regions import Region

SLIVER_SHARE = 0.10
LEAST_CELL_KM = 1.0

Cell = tuple[int, int]


@dataclass(frozen=True)
class ZoneCells:
    """The cells of one zone in its metres: each kept cell's ``members`` are the pieces of land that went to it."""

    zone: int
    size_m: int
    land: dict[Cell, BaseGeometry]
    members: dict[Cell, list[Cell]]

    @cached_property
    def home(self) -> dict[Cell, Cell]:
        """Return the kept cell of each piece of land."""
        return {piece: cell for cell, pieces in self.members.items() for piece in pieces}

    @cached_property
    def pieces(self) -> list[Cell]:
        """Return the squares that have land, in order."""
        return sorted(self.land)

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Return an index of the pieces of land, in order."""
        return shapely.STRtree([self.land[piece] for piece in self.pieces])

    def geometry(self, cell: Cell) -> BaseGeometry:
        """Return the land of a kept cell with that of the slivers which joined it, in metres."""
        pieces = [self.land[piece] for piece in self.members[cell]]
        return pieces[0] if len(pieces) == 1 else shapely.union_all(pieces)


def grid_cells(region: Region, cell_km: float) -> gpd.GeoDataFrame:
    """Return the cells: cell_id, name, lat, lon (a point on land), area_km2 (land), geometry (EPSG:4326).

    Raises PlanError for a cell size that is not positive, is below 1 km, or is larger than the region.
    """
    return _grid_frame(region, _checked_size(region, cell_km)).copy()


def cell_ids(region: Region, cell_km: float, lat: npt.ArrayLike, lon: npt.ArrayLike) -> Texts:
    """Return the id of each position's cell; "" outside the region.

    A position in the sea beside the coast gets its square's cell, or the nearest one where that square has no land.
    """
    at = project(region, lat, lon)
    size_m = _checked_size(region, cell_km)
    found = np.full(len(at.zone), "", dtype=object)
    inside = boundary_of(region).contains(lat, lon)
    for cells in zone_cells(region, size_m):
        here = np.flatnonzero((at.zone == cells.zone) & inside)
        if cells.members:
            codes = _piece_codes(cells, region.zones[cells.zone].id_prefix)
            found[here] = codes[_pieces_at(cells, at.x[here], at.y[here])]
    return found


def _piece_codes(cells: ZoneCells, prefix: str) -> Texts:
    """Return for each piece of land, in order, the code of the cell that it went to."""
    homes = np.array([cells.home[piece] for piece in cells.pieces])
    return np.array(cell_codes(prefix, cells.size_m, homes[:, 0], homes[:, 1]), dtype=object)


def _pieces_at(cells: ZoneCells, x: Floats, y: Floats) -> Ints:
    """Return the number of the piece of land in each position's square, or of the nearest piece."""
    keys = cell_keys(*np.array(cells.pieces).T)
    wanted = cell_keys(cell_index(cells.size_m, x), cell_index(cells.size_m, y))
    piece = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    at_sea = np.flatnonzero(keys[piece] != wanted)
    if len(at_sea):
        position, nearest = cells.tree.query_nearest(shapely.points(x[at_sea], y[at_sea]))
        # Of several pieces that are equally near, the first in order.
        first = np.lexsort((nearest, position))
        _, row = np.unique(position[first], return_index=True)
        piece[at_sea] = nearest[first][row]
    return piece


def _checked_size(region: Region, cell_km: float) -> int:
    """Return the cell size in metres; a cell with more ground than the whole region has land divides nothing."""
    most_km = math.floor(math.sqrt(sum(land.area for land in boundary_of(region).land)) / 1000)
    if not LEAST_CELL_KM <= cell_km <= most_km:  # also false for NaN
        raise PlanError(
            f"cell size {cell_km:g} km: choose {LEAST_CELL_KM:g} to {most_km:g} km for region {region.name!r} "
            f"({region.grid_km:g} is usual); a larger cell would have more ground than the region"
        )
    return round(cell_km * 1000)


@cache
def zone_cells(region: Region, size_m: int) -> tuple[ZoneCells, ...]:
    """Return the cells of each zone, slivers merged."""
    result = []
    for zone, land in enumerate(boundary_of(region).land):
        pieces = _cut(land, size_m)
        result.append(ZoneCells(zone, size_m, pieces, _merge_slivers(pieces, size_m)))
    return tuple(result)


def _cut(land: BaseGeometry, size_m: int) -> dict[Cell, BaseGeometry]:
    """Cut first into columns, then each column into cells: far fewer vertices meet each knife."""
    if land.is_empty:
        return {}
    pieces = {}
    x_min, _, x_max, _ = land.bounds
    for column, strip in _strips(land, size_m, int(x_min // size_m), int(x_max // size_m) + 1):
        rows = np.arange(int(strip.bounds[1] // size_m), int(strip.bounds[3] // size_m) + 1)
        squares = shapely.box(column * size_m, rows * size_m, (column + 1) * size_m, (rows + 1) * size_m)
        for row, piece in zip(rows.tolist(), shapely.intersection(strip, squares), strict=True):
            if piece.area > 0:
                pieces[(column, row)] = piece
    return pieces


def _strips(land: BaseGeometry, size_m: int, first: int, last: int) -> Iterator[tuple[int, BaseGeometry]]:
    """Cut land into columns from first to before last, by halves: each vertex meets few knives."""
    if last - first == 1:
        yield first, land
        return
    middle = (first + last) // 2
    _, y_min, _, y_max = land.bounds
    for start, end in ((first, middle), (middle, last)):
        half = shapely.intersection(land, shapely.box(start * size_m, y_min, end * size_m, y_max))
        if not half.is_empty:
            yield from _strips(half, size_m, start, end)


def _merge_slivers(pieces: dict[Cell, BaseGeometry], size_m: int) -> dict[Cell, list[Cell]]:
    """Return the pieces of each kept cell; slivers are taken from the smallest to the largest.

    An island sliver, which shares no edge, joins the nearest other land of its zone.
    """
    area = {cell: piece.area for cell, piece in pieces.items()}
    members = {cell: [cell] for cell in pieces}
    home = {cell: cell for cell in pieces}
    for cell in sorted(pieces, key=lambda one: (area[one], one)):
        if area[cell] >= SLIVER_SHARE * size_m**2:
            continue
        new = _neighbour_with_longest_edge(members[cell], home, pieces) or _nearest_other(cell, home, pieces)
        if new is not None:
            moved = members.pop(cell)
            home.update(dict.fromkeys(moved, new))
            members[new] += moved
            area[new] += area[cell]
    return {cell: sorted(group) for cell, group in sorted(members.items())}


def _neighbour_with_longest_edge(
    group: list[Cell], home: dict[Cell, Cell], pieces: dict[Cell, BaseGeometry]
) -> Cell | None:
    edges: dict[Cell, float] = {}
    for column, row in group:
        for other in ((column - 1, row), (column + 1, row), (column, row - 1), (column, row + 1)):
            if other in home and home[other] != home[group[0]]:
                shared = shapely.intersection(pieces[(column, row)], pieces[other]).length
                edges[home[other]] = edges.get(home[other], 0.0) + shared
    return max(sorted(edges), key=lambda one: edges[one]) if max(edges.values(), default=0.0) > 0 else None


def _nearest_other(cell: Cell, home: dict[Cell, Cell], pieces: dict[Cell, BaseGeometry]) -> Cell | None:
    others = [piece for piece in pieces if home[piece] != home[cell]]
    if not others:
        return None
    gaps = shapely.distance(pieces[cell], np.array([pieces[piece] for piece in others]))
    return home[others[int(np.argmin(gaps))]]


@cache
def _grid_frame(region: Region, size_m: int) -> gpd.GeoDataFrame:
    parts = [_zone_frame(region, cells) for cells in zone_cells(region, size_m) if cells.members]
    frame = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs="EPSG:4326")
    frame.insert(1, "name", _cell_names(region, frame))
    return frame.sort_values("cell_id", ignore_index=True)


def _zone_frame(region: Region, cells: ZoneCells) -> gpd.GeoDataFrame:
    zone = region.zones[cells.zone]
    kept = np.array(list(cells.members))
    metres = np.array([cells.geometry(cell) for cell in cells.members], dtype=object)
    on_land = shapely.point_on_surface(metres)
    lat, lon = to_degrees(zone.crs, shapely.get_x(on_land), shapely.get_y(on_land))
    columns = {
        "cell_id": cell_codes(zone.id_prefix, cells.size_m, kept[:, 0], kept[:, 1]),
        "lat": lat,
        "lon": lon,
        "area_km2": shapely.area(metres) / 1e6,
    }
    return gpd.GeoDataFrame(columns, geometry=geometry_to_degrees(zone.crs, metres), crs="EPSG:4326")


def _cell_names(region: Region, frame: gpd.GeoDataFrame) -> list[str]:
    """Return the national grid reference of each cell's point on land, else the cell's id."""
    if not region.human_grids:
        return [str(code) for code in frame["cell_id"]]
    nations = boundary_of(region).admin(frame["lat"], frame["lon"])["admin1"]
    grids = [region.human_grids.get(nation, region.human_grids.get("", "")) for nation in nations]
    found = zip(grids, frame["lat"], frame["lon"], frame["cell_id"], strict=True)
    return [grid_reference(grid, lat, lon) or code for grid, lat, lon, code in found]
