"""Where to look: the ground that holds a place with a stated probability, as areas on the map.

In: belief over classes and, where a gallery was searched, over training places. Out: belief over small cells of the
region's land, the densest cells that hold 50 % or 90 %, their km² and their outline as GeoJSON or KML.

Belief is laid on the ground around the training places of each class: a Gaussian bell around each of them, of a width
that was chosen on val ground. A small share lies evenly on all land, since nothing is impossible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from geolocate.errors import SettingsError, StorageError
from geolocate.evaluation.conformal import class_sets
from geolocate.geography.distances import EARTH_RADIUS_KM, unit_vectors
from geolocate.geography.grids import cell_ids, grid_cells
from geolocate.geography.regions import Region

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The probabilities with which a place lies within its areas.
LEVELS = (0.5, 0.9)
#: Bells that are tried, in km.
BANDWIDTHS_KM = (5.0, 10.0, 20.0, 40.0, 80.0)

_EVENLY = 0.01
#: A bell ends where less than 1.1 % of it is left.
_REACH = 3.0
_CELLS_ACROSS = 140
_DRIVERS = {".geojson": "GeoJSON", ".json": "GeoJSON", ".kml": "KML"}


@dataclass(frozen=True)
class SearchGround:
    """X cells of land, ``cells`` with ``cell_id, lat, lon, area_km2``, and G training places laid upon them.

    ``bells`` [G, X] holds how much of each place's bell lies in each cell, ``of_class`` [C, X] the mean of each class's
    bells; rows sum to 1. ``stands`` [C, X] counts the places of each class that stand in each cell.
    """

    cells: pd.DataFrame
    bells: csr_matrix
    of_class: csr_matrix
    stands: csr_matrix

    @property
    def area_km2(self) -> Array:
        """The land of each cell [X], by equal-area projection."""
        return self.cells["area_km2"].to_numpy(float)


@dataclass(frozen=True)
class SearchArea:
    """The cells that hold a place with probability ``share``, and their land in km²."""

    share: float
    km2: float
    cell_ids: tuple[str, ...]


def usual_cell_km(region: Region) -> float:
    """Return the side of a cell: some 140 of them make the region's diagonal, 10 km in the UK and 41 km in the US."""
    return float(max(1, round(region.diagonal_km / _CELLS_ACROSS)))


def search_cells(region: Region, cell_km: float) -> pd.DataFrame:
    """Return the cells of the region's land: ``cell_id, lat, lon, area_km2``."""
    return pd.DataFrame(grid_cells(region, cell_km)[["cell_id", "lat", "lon", "area_km2"]])


def lay_on_ground(
    cells: pd.DataFrame, positions: tuple[Array, Array], classes: NDArray[np.intp], count: int, bandwidth_km: float
) -> SearchGround:
    """Lay training places at ``positions`` [G] degrees, of ``classes`` [G] among ``count``, on the cells."""
    tree = cKDTree(unit_vectors(cells["lat"], cells["lon"]))
    points = unit_vectors(*positions)
    reach = 2 * np.sin(_REACH * bandwidth_km / EARTH_RADIUS_KM / 2)
    near = tree.query_ball_point(points, reach)
    nearest = tree.query(points)[1]
    reached = [found or [int(one)] for found, one in zip(near, nearest, strict=True)]
    rows = np.repeat(np.arange(len(points)), [len(found) for found in reached])
    columns = np.concatenate(reached).astype(int) if len(points) else np.empty(0, int)
    chord = np.linalg.norm(points[rows] - np.asarray(tree.data)[columns], axis=1)
    km = 2 * EARTH_RADIUS_KM * np.arcsin((chord / 2).clip(max=1))
    weight = cells["area_km2"].to_numpy(float)[columns] * np.exp(-0.5 * (km / bandwidth_km) ** 2)
    # The nearest cell may be so far that nothing of the bell is left there.
    bells = _rows_to_one(csr_matrix((weight + 1e-300, (rows, columns)), shape=(len(points), len(cells))))
    members = csr_matrix((np.ones(len(classes)), (classes, np.arange(len(classes)))), shape=(count, len(points)))
    stands = csr_matrix((np.ones(len(classes)), (classes, nearest)), shape=(count, len(cells)))
    return SearchGround(cells, bells, csr_matrix(_rows_to_one(members) @ bells), stands)


def ground_belief(ground: SearchGround, posterior: Array, near: tuple[NDArray[np.int64], Array] | None = None) -> Array:
    """Return the probability of each cell, [P, X], rows summing to 1.

    ``posterior`` [P, C] weighs the classes; ``near`` are the numbers [P, K] of training places and their weights
    [P, K]. Together they sum to 1 a row.
    """
    belief = np.asarray(posterior @ ground.of_class)
    if near is not None:
        number, weight = near
        rows = np.repeat(np.arange(len(number)), number.shape[1])
        held = number.ravel() >= 0
        places = csr_matrix(
            (weight.ravel()[held], (rows[held], number.ravel()[held])), shape=(len(number), ground.bells.shape[0])
        )
        belief = belief + (places @ ground.bells).toarray()
    evenly = ground.area_km2 / ground.area_km2.sum()
    total = belief.sum(axis=1, keepdims=True)
    return np.asarray((1 - _EVENLY) * belief / np.where(total > 0, total, 1.0) + _EVENLY * evenly)


def cell_numbers(region: Region, cell_km: float, cells: pd.DataFrame, lat: Array, lon: Array) -> NDArray[np.intp]:
    """Return the number of the cell that each position lies in, -1 outside the region."""
    return np.asarray(pd.Index(cells["cell_id"]).get_indexer(pd.Index(cell_ids(region, cell_km, lat, lon))))


def search_areas(ground: SearchGround, belief: Array, thresholds: Mapping[float, float]) -> list[list[SearchArea]]:
    """Return the areas of each place: for each share, the densest cells up to its threshold, the smallest first.

    ``belief`` is [P, X]; ``thresholds`` give for each share how much belief has to be gathered: the share itself, or
    what conformal prediction made of it.
    """
    sets = {share: class_sets(belief, limit, ground.area_km2) for share, limit in sorted(thresholds.items())}
    ids = ground.cells["cell_id"].to_numpy(str)
    return [
        [
            SearchArea(share, float(ground.area_km2[inside[place]].sum()), tuple(ids[inside[place]].tolist()))
            for share, inside in sets.items()
        ]
        for place in range(len(belief))
    ]


def area_to_search(ground: SearchGround, belief: Array, cells: NDArray[np.intp]) -> Array:
    """Return how many km² have to be searched, the densest ground first, before each place [P] is found.

    ``cells`` [P] are the true ones; infinite where a place lies in none.
    """
    density = belief / ground.area_km2
    own = np.take_along_axis(density, cells.clip(min=0)[:, None], axis=1)
    searched = np.where(density >= own, ground.area_km2, 0.0).sum(axis=1)
    return np.asarray(np.where(cells >= 0, searched, np.inf))


def recall_by_area(searched_km2: Array, at_km2: Sequence[float]) -> list[dict[str, float]]:
    """Return which share of places is found within each search area (recall against area, arXiv 2407.13862)."""
    return [{"km2": float(most), "recall": float((searched_km2 <= most).mean())} for most in at_km2]


def class_area_km2(ground: SearchGround, sets: Flags) -> Array:
    """Return the land [P] in km² of the union of the classes in each set [P, C].

    The ground of a class is the cells in which its training places stand.
    """
    covered = np.asarray(sets.astype(float) @ ground.stands) > 0
    return np.asarray(covered @ ground.area_km2)


def check_area_path(path: Path) -> None:
    """Raise SettingsError unless the file's name says how an area is to be written, before any work is done."""
    if path.suffix.lower() not in _DRIVERS:
        raise SettingsError(f"--area {path}: name a file that ends in {', '.join(_DRIVERS)}")


def write_areas(path: Path, region: Region, cell_km: float, areas: Sequence[SearchArea], about: str) -> None:
    """Write the areas of one place as GeoJSON or KML (WGS84), the largest first so that the smaller lies on top.

    Raises SettingsError for another ending, StorageError where the file cannot be written.
    """
    check_area_path(path)
    outlines = grid_cells(region, cell_km).set_index("cell_id").geometry
    ordered = sorted(areas, key=lambda area: -area.share)
    frame = gpd.GeoDataFrame(
        {
            "Name": [f"{area.share:.0%} search area" for area in ordered],
            "Description": [f"{about}: {area.km2:.0f} km²" for area in ordered],
            "share": [area.share for area in ordered],
            "km2": [round(area.km2, 1) for area in ordered],
        },
        geometry=[shapely.union_all(outlines.loc[list(area.cell_ids)].to_numpy()) for area in ordered],
        crs="EPSG:4326",
    )
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        frame.to_file(beside, driver=_DRIVERS[path.suffix.lower()], engine="pyogrio")
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        raise StorageError(f"cannot write {path}: {error}; name another file") from error
    finally:
        beside.unlink(missing_ok=True)


def _rows_to_one(matrix: csr_matrix) -> csr_matrix:
    total = np.asarray(matrix.sum(axis=1)).ravel()
    inverse: Any = csr_matrix((1.0 / np.where(total > 0, total, 1.0), (range(len(total)), range(len(total)))))
    return csr_matrix(inverse @ matrix)
