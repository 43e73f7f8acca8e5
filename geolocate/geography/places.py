"""The gazetteer of a region: its populated places, and which of them are real towns.

In: the region's places.csv and dropped_places.csv. Out: tables ordered from the largest place to the smallest.
"""

from functools import cache

import pandas as pd

from geolocate.errors import PlanError
from geolocate.geography.regions import Region, region_file

COLUMNS = ["place_id", "name", "lat", "lon", "population", "kind", "admin1", "admin2", "admin1_name", "county"]


@cache
def _gazetteer(region: Region) -> pd.DataFrame:
    text = dict.fromkeys(["place_id", "name", "kind", "admin1", "admin2", "admin1_name", "county"], str)
    places = pd.read_csv(region_file(region, "places.csv"), dtype=text, keep_default_na=False)
    return places.sort_values(["population", "place_id"], ascending=[False, True], ignore_index=True)[COLUMNS]


def load_places(region: Region) -> pd.DataFrame:
    """Return every populated place, largest first.

    Columns: place_id (GeoNames), name, lat, lon, population (people), kind (GeoNames feature code, "" if unknown),
    admin1, admin2, admin1_name, county (GeoNames' second level).
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

    Raises PlanError when ``top`` is less than 1 or more than there are.
    """
    places = _towns(region)
    if not 1 <= top <= len(places):
        raise PlanError(f"top {top}: region {region.name!r} has {len(places)} places; choose 1 to {len(places)}")
    return places.head(top).copy()
