"""The gazetteer of a region: its populated places, and which of them are real towns.

In: the region's places.csv and dropped_places.csv. Out: tables ordered from the largest place to the smallest.
"""

from functools import cache

import numpy as np
import pandas as pd

from geolocate.errors import PlanError, RegionError
from geolocate.geography.regions import Region, region_file

COLUMNS = ["place_id", "name", "lat", "lon", "population", "kind", "admin1", "admin2", "admin1_name", "county"]

_NEEDED = ("place_id", "name", "lat", "lon", "population")
_NUMBERS = {"lat": (-90.0, 90.0), "lon": (-180.0, 180.0), "population": (0.0, np.inf)}


@cache
def _gazetteer(region: Region) -> pd.DataFrame:
    path = region_file(region, "places.csv")
    try:
        places = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise RegionError(f"places file {path} cannot be read: {error}") from None
    missing = [column for column in _NEEDED if column not in places]
    if missing:
        raise RegionError(f"places file {path} has no column {', '.join(missing)}: {', '.join(_NEEDED)} are needed")
    for column, limits in _NUMBERS.items():
        places[column] = _numbers(f"places file {path}", places[column], limits)
    places["population"] = places["population"].astype(np.int64)
    twice = places["place_id"].duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise RegionError(f"places file {path}, row {row + 1}: place_id {places['place_id'][row]!r} stands there twice")
    places = places.reindex(columns=COLUMNS, fill_value="")
    return places.sort_values(["population", "place_id"], ascending=[False, True], ignore_index=True)


def _numbers(source: str, texts: pd.Series, limits: tuple[float, float]) -> pd.Series:
    numbers = pd.to_numeric(texts, errors="coerce").astype(float)
    wrong = np.flatnonzero(~numbers.between(*limits) | ~np.isfinite(numbers))
    if len(wrong):
        row = int(wrong[0])
        raise RegionError(
            f"{source}, row {row + 1}: {texts.name} {texts.iloc[row]!r}: a number from {limits[0]:g} to "
            f"{limits[1]:g} is needed ({len(wrong)} such rows)"
        )
    return pd.Series(numbers, index=texts.index)


def load_places(region: Region) -> pd.DataFrame:
    """Return every populated place, largest first.

    Columns: place_id (GeoNames), name, lat, lon, population (people), kind (GeoNames feature code, "" if unknown),
    admin1, admin2, admin1_name, county (GeoNames' second level); a region's own file needs the first five only.
    Raises RegionError for a file without them, or with a position or population that is none.
    """
    return _gazetteer(region).copy()


def dropped_places(region: Region) -> pd.DataFrame:
    """Return the rows that stand for no town of their own: place_id, name, reason."""
    listed = pd.read_csv(region_file(region, "dropped_places.csv"), dtype=str, keep_default_na=False)
    places = _gazetteer(region)
    empty = places.loc[places["population"] <= 0, ["place_id", "name"]].assign(reason="population 0")
    return pd.concat([listed[["place_id", "name", "reason"]], empty], ignore_index=True)


@cache
def _towns(region: Region) -> pd.DataFrame:
    places = _gazetteer(region)
    return places[~places["place_id"].isin(dropped_places(region)["place_id"])].reset_index(drop=True)


def real_places(region: Region) -> pd.DataFrame:
    """Return the places without the dropped ones, largest first."""
    return _towns(region).copy()


def top_places(region: Region, top: int) -> pd.DataFrame:
    """Return the ``top`` largest places after bogus rows were dropped; suburbs are still places of their own.

    Raises PlanError when ``top`` is less than 1 or more than there are, RegionError when no place has people.
    """
    places = _towns(region)
    if places.empty:
        raise RegionError(f"region {region.name!r} has no place with people: see the column population of places.csv")
    if not 1 <= top <= len(places):
        raise PlanError(f"top {top}: region {region.name!r} has {len(places)} places; choose 1 to {len(places)}")
    return places.head(top).copy()
