"""Merge suburbs into their parent cities, so that a class is a city and not a list of its quarters.

In: the largest places of a region. Out: for each its parent (itself when it is a class of its own) and why.

The rule, from the largest place to the smallest: an override decides; else a place inside a city's area
(``merging.areas`` of the region's file) belongs to that city; else it joins the city in whose radius it lies,
the relatively nearest if there are several. A city's radius is ``radius_factor`` * sqrt(thousands of people) km;
one with an area has no radius, because its limits are known. Only classes of their own take places in by the rule;
an override that names a suburb leads on to that suburb's city.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from geolocate.geography.distances import EARTH_RADIUS_KM, Floats, haversine_km, unit_vectors
from geolocate.geography.overrides import Override, read_overrides
from geolocate.geography.places import top_places
from geolocate.geography.regions import Area, Region

Ints = npt.NDArray[np.int64]


def city_radius_km(region: Region, population: npt.ArrayLike) -> Floats:
    """Return how far a city of that many people reaches, in km."""
    return region.merging.radius_factor * np.sqrt(np.asarray(population, float) / 1000.0)


def places_inside(area: Area, places: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say which places are inside an area.

    The drawn border is coarse: a place whose county in the gazetteer bears the area's name is inside too.
    """
    return np.asarray(places["admin2"].isin(area.admin2) | (places["county"] == area.name), dtype=bool)


def merge_suburbs(region: Region, places: pd.DataFrame, overrides: Path | None = None) -> pd.DataFrame:
    """Return for each place its class: place_id, name, parent_id, parent_name, reason, distance_km.

    ``places`` is a table as of ``top_places``; the result keeps its order. ``overrides`` is a CSV with place_id,
    parent_id, reason, and stands for the region's own suburb_overrides.csv; a place that is its own parent stays a
    class. An override whose parent is not among the places cannot be followed, and the reason says so. Raises
    RegionError for a wrong table of overrides.
    """
    ordered = places.sort_values(["population", "place_id"], ascending=[False, True])
    merging = _Merging(region, ordered.reset_index(drop=True))
    merging.by_override(read_overrides(region, overrides))
    merging.by_area()
    merging.by_radius()
    table = merging.table().set_index(ordered.index)
    return table.loc[places.index].reset_index(drop=True)


def merge_table(region: Region, top: int, overrides: Path | None = None) -> pd.DataFrame:
    """Return the ``top`` largest places as people read them: place_id, place, admin1, people, parent_id, parent, ...

    ... reason and km (between the two). Raises PlanError and RegionError as ``top_places`` and ``merge_suburbs`` do.
    """
    places = top_places(region, top)
    merged = merge_suburbs(region, places, overrides)
    return pd.DataFrame(
        {
            "place_id": merged["place_id"],
            "place": merged["name"],
            "admin1": places["admin1"].to_numpy(),
            "people": places["population"].to_numpy(),
            "parent_id": merged["parent_id"],
            "parent": merged["parent_name"],
            "reason": merged["reason"],
            "km": merged["distance_km"],
        }
    )


class _Merging:
    """The places, largest first, and what has been decided about each so far."""

    def __init__(self, region: Region, places: pd.DataFrame) -> None:
        self.region = region
        self.places = places
        self.row_of = {place_id: row for row, place_id in enumerate(places["place_id"])}
        self.parent: Ints = np.arange(len(places), dtype=np.int64)
        self.open = np.ones(len(places), dtype=bool)
        self.reason = np.full(len(places), "its own class", dtype=object)
        self.note = np.full(len(places), "", dtype=object)

    def by_override(self, overrides: dict[str, Override]) -> None:
        for place_id, override in overrides.items():
            row, parent = self.row_of.get(place_id), self.row_of.get(override.parent_id)
            if row is None:
                continue
            if parent is None:
                self.note[row] = f"; override into {override.parent_id} not followed, it is not among the places"
            else:
                self._decide(np.array([row]), parent, f"override: {override.reason}")

    def by_area(self) -> None:
        for area in self.region.merging.areas:
            parent = self.row_of.get(area.parent_id)
            if parent is None:
                continue
            city = int(self.parent[parent])  # where an override has led the city of the area
            if self.open[city]:
                self._decide(np.array([city]), city, "its own class")
            rows = np.flatnonzero(places_inside(area, self.places) & self.open)
            self._decide(rows, city, f"inside {area.name} (since {area.valid_from})")

    def by_radius(self) -> None:
        """Walk down from the largest place; a place that was taken in takes in none itself."""
        lat, lon = self.places["lat"].to_numpy(float), self.places["lon"].to_numpy(float)
        radius = city_radius_km(self.region, self.places["population"])
        names = self.places["name"].to_numpy(dtype=object)
        child, parent = _within_radius(lat, lon, radius)
        ratio = haversine_km(lat[child], lon[child], lat[parent], lon[parent]) / radius[parent]
        limitless = np.isin(self.places["place_id"], [area.parent_id for area in self.region.merging.areas])
        fits = np.flatnonzero((ratio <= 1) & self.open[child] & ~limitless[parent])
        for pair in fits[np.lexsort((parent[fits], ratio[fits], child[fits]))]:
            row, city = int(child[pair]), int(parent[pair])
            if self.open[row] and self.parent[city] == city:
                self._decide(np.array([row]), city, f"within {radius[city]:.1f} km of {names[city]}")

    def _decide(self, rows: Ints, parent: int, reason: str) -> None:
        self.parent[rows] = parent
        self.reason[rows] = reason
        self.open[rows] = False

    def table(self) -> pd.DataFrame:
        """Lead each place to the class at the end of its way, and measure how far that is."""
        root = self.parent
        while (root[root] != root).any():
            root = root[root]
        lat, lon = self.places["lat"].to_numpy(float), self.places["lon"].to_numpy(float)
        ids, names = self.places["place_id"].to_numpy(), self.places["name"].to_numpy()
        return pd.DataFrame(
            {
                "place_id": ids,
                "name": names,
                "parent_id": ids[root],
                "parent_name": names[root],
                "reason": self.reason + self.note,
                "distance_km": haversine_km(lat, lon, lat[root], lon[root]).round(2),
            }
        )


def _within_radius(lat: Floats, lon: Floats, radius_km: Floats) -> tuple[Ints, Ints]:
    """Return the pairs of a place and an earlier one in whose radius it lies (or on its edge)."""
    vectors = unit_vectors(lat, lon)
    chord = 2 * np.sin(radius_km / EARTH_RADIUS_KM / 2) * (1 + 1e-9)
    found = cKDTree(vectors).query_ball_point(vectors, chord)
    parent = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
    child = np.concatenate([np.asarray(rows, dtype=np.int64) for rows in found])
    later = child > parent
    return child[later], parent[later]
