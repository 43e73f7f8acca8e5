"""Cut a region's land into square cells of equal area.

In: a region and a cell size. Out: cells with standard ids, clipped to the land; what is less than a tenth of a
full cell joins the neighbour with which it shares the longest edge.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from geolocate.errors import PlanError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cells import Texts, cell_code, cell_index
from geolocate.geography.gridref import grid_reference
from geolocate.geography.projections import geometry_to_degrees, project, to_degrees
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

    def geometry(self, cell: Cell) -> BaseGeometry:
        """Return the land of a kept cell with that of the slivers which joined it, in metres."""
        return shapely.union_all([self.land[piece] for piece in self.members[cell]])


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
        if not cells.members:
            continue
        prefix = region.zones[cells.zone].id_prefix
        squares = zip(cell_index(size_m, at.x[here]).tolist(), cell_index(size_m, at.y[here]).tolist(), strict=True)
        for row, square in zip(here, squares, strict=True):
            home = cells.home.get(square) or _nearest_cell(cells, at.x[row], at.y[row])
            found[row] = cell_code(prefix, size_m, *home)
    return found


def _nearest_cell(cells: ZoneCells, x: float, y: float) -> Cell:
    squares = sorted(cells.land)
    distance = shapely.distance(shapely.points(x, y), np.array([cells.land[square] for square in squares]))
    return cells.home[squares[int(np.argmin(distance))]]


def _checked_size(region: Region, cell_km: float) -> int:
    """Return the cell size in metres."""
    if not LEAST_CELL_KM <= cell_km <= region.diagonal_km:  # also false for NaN
        raise PlanError(
            f"cell size {cell_km:g} km: choose {LEAST_CELL_KM:g} to {region.diagonal_km:g} km for region "
            f"{region.name!r} ({region.grid_km:g} is usual)"
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
    x_min, y_min, x_max, y_max = land.bounds
    for column in range(int(x_min // size_m), int(x_max // size_m) + 1):
        strip = shapely.intersection(land, shapely.box(column * size_m, y_min, (column + 1) * size_m, y_max))
        if strip.is_empty:
            continue
        rows = np.arange(int(strip.bounds[1] // size_m), int(strip.bounds[3] // size_m) + 1)
        squares = shapely.box(column * size_m, rows * size_m, (column + 1) * size_m, (rows + 1) * size_m)
        for row, piece in zip(rows.tolist(), shapely.intersection(strip, squares), strict=True):
            if piece.area > 0:
                pieces[(column, row)] = piece
    return pieces


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
    rows = []
    for cells in zone_cells(region, size_m):
        zone = region.zones[cells.zone]
        for cell in cells.members:
            metres = cells.geometry(cell)
            inside = metres.representative_point()
            lat, lon = to_degrees(zone.crs, np.array([inside.x]), np.array([inside.y]))
            code = cell_code(zone.id_prefix, size_m, *cell)
            rows.append((code, lat[0], lon[0], metres.area / 1e6, geometry_to_degrees(zone.crs, metres)))
    frame = gpd.GeoDataFrame(rows, columns=["cell_id", "lat", "lon", "area_km2", "geometry"], crs="EPSG:4326")
    frame.insert(1, "name", _cell_names(region, frame))
    return frame.sort_values("cell_id", ignore_index=True)


def _cell_names(region: Region, frame: gpd.GeoDataFrame) -> list[str]:
    """Return the national grid reference of each cell's point on land, else the cell's id."""
    if not region.human_grids:
        return [str(code) for code in frame["cell_id"]]
    nations = boundary_of(region).admin(frame["lat"], frame["lon"])["admin1"]
    grids = [region.human_grids.get(nation, region.human_grids.get("", "")) for nation in nations]
    found = zip(grids, frame["lat"], frame["lon"], frame["cell_id"], strict=True)
    return [grid_reference(grid, lat, lon) or code for grid, lat, lon, code in found]
