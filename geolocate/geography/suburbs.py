"""Merge suburbs into their parent cities, so that a class is a city and not a list of its quarters.

In: the largest places of a region. Out: for each its parent (itself when it is a class of its own) and why.

The rule, from the largest place to the smallest: an override decides; else a place inside a city's area
(``merging.areas`` of the region's file) belongs to that city; else it joins the city in whose radius it lies,
the relatively nearest if there are several. A city's radius is ``radius_factor`` * sqrt(thousands of people) km;
one with an area has no radius, because its limits are known. Only classes of their own take places in, so there
are no chains.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from geolocate.errors import RegionError
from geolocate.geography.distances import Floats, haversine_km
from geolocate.geography.places import load_places
from geolocate.geography.regions import Area, Region, region_file


@dataclass(frozen=True, slots=True)
class _Override:
    parent_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Columns:
    """The places as plain columns, largest first."""

    place_id: list[str]
    name: list[str]
    admin2: list[str]
    lat: Floats
    lon: Floats
    radius_km: Floats


@dataclass(frozen=True, slots=True)
class _Decision:
    parent: int  # row number
    reason: str


def city_radius_km(region: Region, population: npt.ArrayLike) -> Floats:
    """Return how far a city of that many people reaches, in km."""
    return region.merging.radius_factor * np.sqrt(np.asarray(population, float) / 1000.0)


def merge_suburbs(region: Region, places: pd.DataFrame, overrides: Path | None = None) -> pd.DataFrame:
    """Return for each place its class: place_id, name, parent_id, parent_name, reason, distance_km.

    ``places`` is a table as of ``top_places``; the result keeps its order. ``overrides`` is a CSV with place_id,
    parent_id, reason, and stands for the region's own suburb_overrides.csv; a place that is its own parent stays a
    class. Raises RegionError for an override of unknown places.
    """
    places = places.sort_values(["population", "place_id"], ascending=[False, True])
    columns = _Columns(
        place_id=places["place_id"].tolist(),
        name=places["name"].tolist(),
        admin2=places["admin2"].tolist(),
        lat=places["lat"].to_numpy(float),
        lon=places["lon"].to_numpy(float),
        radius_km=city_radius_km(region, places["population"]),
    )
    table = _read_overrides(region, overrides)
    decisions: list[_Decision] = []
    roots: list[int] = []
    for row in range(len(places)):
        decisions.append(_decide(region, columns, row, roots, table))
        if decisions[-1].parent == row:
            roots.append(row)
    parent = np.array([decision.parent for decision in decisions], dtype=int)
    return _as_table(places, parent, [decision.reason for decision in decisions])


def _as_table(places: pd.DataFrame, parent: npt.NDArray[np.int64], reasons: list[str]) -> pd.DataFrame:
    lat, lon = places["lat"].to_numpy(float), places["lon"].to_numpy(float)
    table = pd.DataFrame(
        {
            "place_id": places["place_id"].to_numpy(),
            "name": places["name"].to_numpy(),
            "parent_id": places["place_id"].to_numpy()[parent],
            "parent_name": places["name"].to_numpy()[parent],
            "reason": reasons,
            "distance_km": haversine_km(lat, lon, lat[parent], lon[parent]).round(2),
        },
        index=places.index,
    )
    return table.sort_index().reset_index(drop=True)


def _decide(region: Region, places: _Columns, row: int, roots: list[int], overrides: dict[str, _Override]) -> _Decision:
    override = overrides.get(places.place_id[row])
    if override and override.parent_id in places.place_id:
        parent = places.place_id.index(override.parent_id)
        if parent == row or parent in roots:
            return _Decision(parent, f"override: {override.reason}")
    root_of_id = {places.place_id[root]: root for root in roots}
    for area in region.merging.areas:
        if area.parent_id in root_of_id and places.admin2[row] in area.admin2:
            return _Decision(root_of_id[area.parent_id], f"inside {area.name} (since {area.valid_from})")
    return _nearest_root(region, places, row, roots)


def _nearest_root(region: Region, places: _Columns, row: int, roots: list[int]) -> _Decision:
    with_area = {area.parent_id for area in region.merging.areas}
    near = np.array([root for root in roots if places.place_id[root] not in with_area], dtype=int)
    if len(near) == 0:
        return _Decision(row, "its own class")
    radius = places.radius_km[near]
    distance = haversine_km(places.lat[row], places.lon[row], places.lat[near], places.lon[near])
    best = int(np.argmin(distance / radius))
    if distance[best] > radius[best]:
        return _Decision(row, "its own class")
    return _Decision(int(near[best]), f"within {radius[best]:.1f} km of {places.name[near[best]]}")


def area_of(region: Region, place_id: str) -> Area | None:
    """Return the area of a city whose limits are known, or None."""
    return next((area for area in region.merging.areas if area.parent_id == place_id), None)


def _read_overrides(region: Region, path: Path | None) -> dict[str, _Override]:
    source = path or region_file(region, "suburb_overrides.csv")
    try:
        rows = pd.read_csv(source, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise RegionError(f"suburb overrides {source}: {error}") from None
    missing = {"place_id", "parent_id", "reason"} - set(rows.columns)
    if missing:
        raise RegionError(f"suburb overrides {source}: no column {', '.join(sorted(missing))}")
    unknown = sorted({*rows["place_id"], *rows["parent_id"]} - {*load_places(region)["place_id"]})
    if unknown:
        raise RegionError(f"suburb overrides {source}: place {unknown[0]!r} is not in places.csv of {region.name!r}")
    columns = (rows["place_id"], rows["parent_id"], rows["reason"])
    return {str(place): _Override(str(parent), str(reason)) for place, parent, reason in zip(*columns, strict=True)}
