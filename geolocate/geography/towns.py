"""Name the ground as people do: a locality, and the larger town that it belongs to.

In: positions. Out: "Hermitage, Thatcham". The name is an approximation: the locality is the nearest place of the
gazetteer, not the one in whose bounds a position lies, and the larger town stands for the post town, of which no open
table is at hand. It is chosen once per locality, not per position, so that a locality has one name only.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from geolocate.geography.places import real_places
from geolocate.geography.projections import Floats, Projected, project
from geolocate.geography.regions import Region

Texts = npt.NDArray[np.object_]

_MOST_CANDIDATES = 400


def town_names(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike) -> Texts:
    """Return the name of each position's nearest locality with its larger town; "" outside every zone."""
    return towns_at(region, lat, lon)["town"].to_numpy(dtype=object)


def towns_at(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike) -> pd.DataFrame:
    """Return each position's locality: place_id, and town ("locality, larger town"); "" outside every zone."""
    row = nearest_locality(region, lat, lon)
    names = locality_names(region)[["place_id", "town"]]
    return pd.DataFrame({column: np.where(row >= 0, names[column].to_numpy(object)[row], "") for column in names})


def nearest_locality(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return for each position the row of its nearest place in ``locality_names``; -1 outside every zone."""
    at = project(region, lat, lon)
    found = np.full(at.zone.shape, -1, dtype=np.int64)
    for index, (rows, tree) in enumerate(_trees(region)):
        here = at.zone == index
        if here.any() and len(rows):
            _, nearest = tree.query(np.column_stack([at.x[here], at.y[here]]))
            found[here] = rows[nearest]
    return found


@cache
def locality_names(region: Region) -> pd.DataFrame:
    """Return the places with a column ``town``, their name as "locality, larger town"."""
    places = real_places(region)
    at = project(region, places["lat"].to_numpy(), places["lon"].to_numpy())
    larger = _larger_towns(region, places["population"].to_numpy(float), at)
    name = places["name"].to_numpy(dtype=object)
    paired = (larger >= 0) & (name[larger] != name)
    return places.assign(town=np.where(paired, name + ", " + name[larger], name))


def _larger_towns(region: Region, population: Floats, at: Projected) -> npt.NDArray[np.int64]:
    """For each place the row of the nearest town that is large enough to name it by; -1 when there is none."""
    rule = region.towns
    larger = np.full(len(population), -1, dtype=np.int64)
    for index in range(len(region.zones)):
        here = np.flatnonzero(at.zone == index)
        towns = here[population[here] >= rule.larger_population]
        if len(towns) == 0:
            continue
        tree = cKDTree(np.column_stack([at.x[towns], at.y[towns]]))
        reach = rule.within_km * 1000.0
        distance, nearest = tree.query(
            np.column_stack([at.x[here], at.y[here]]),
            k=np.arange(1, min(_MOST_CANDIDATES, len(towns)) + 1),
            distance_upper_bound=reach,
        )
        candidate = towns[np.minimum(nearest, len(towns) - 1)]
        enough = population[candidate] >= rule.larger_ratio * population[here, None]
        fits = enough & np.isfinite(distance)
        first = np.argmax(fits, axis=1)
        rows = np.arange(len(here))
        larger[here] = np.where(fits[rows, first], candidate[rows, first], -1)
    return larger


@cache
def _trees(region: Region) -> list[tuple[npt.NDArray[np.int64], cKDTree]]:
    places = real_places(region)
    at = project(region, places["lat"].to_numpy(), places["lon"].to_numpy())
    trees = []
    for index in range(len(region.zones)):
        rows = np.flatnonzero(at.zone == index)
        trees.append((rows, cKDTree(np.column_stack([at.x[rows], at.y[rows]]))))
    return trees
