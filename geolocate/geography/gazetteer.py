"""Read a table of places that a user brings.

In: a CSV with name, lat, lon, population, and more if there is more. Out: the columns of a region's places.csv, but
for the admin units that only a map can tell.
"""

import hashlib

import numpy as np
import pandas as pd

from geolocate.errors import RegionError
from geolocate.geography.outlines import InputFile

NEEDED = ("name", "lat", "lon", "population")
OPTIONAL = ("id", "kind", "county", "admin1", "admin1_name", "admin2")
_LIMITS = {"lat": 90.0, "lon": 180.0}


def read_gazetteer(file: InputFile) -> pd.DataFrame:
    """Return place_id, name, lat, lon, population and the optional columns ("" where missing), in the file's order.

    Without a column ``id`` a place is named by a hash of its name and position. A place without population gets 0,
    and is dropped later. Raises RegionError for missing columns, positions that are none, no population at all, and
    ids that stand for two places.
    """
    try:
        table = pd.read_csv(file.path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise RegionError(f"places file {file.path.name} cannot be read: {str(error).splitlines()[0]}") from None
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise RegionError(
            f"places file {file.path.name} has no column {', '.join(missing)}: it needs {', '.join(NEEDED)}, and may "
            f"have {', '.join(OPTIONAL)} (it has {', '.join(table.columns)})"
        )
    places = pd.DataFrame({name: _column(table, name) for name in (*NEEDED, *OPTIONAL)})
    places = places[places["name"] != ""].reset_index(drop=True)
    for name, limit in _LIMITS.items():
        places[name] = _degrees(file, places[name], limit)
    places["population"] = _people(file, places["population"])
    places.insert(0, "place_id", _ids(file, places))
    return places.drop(columns="id")


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name].str.strip() if name in table else pd.Series("", index=table.index)


def _degrees(file: InputFile, texts: pd.Series, limit: float) -> pd.Series:
    numbers = pd.to_numeric(texts, errors="coerce")
    wrong = np.flatnonzero(~(numbers.abs() <= limit))
    if len(wrong):
        first = int(wrong[0])
        raise RegionError(
            f"places file {file.path.name}, row {first + 1}: {texts.name} {texts[first]!r} is not a number from "
            f"-{limit:g} to {limit:g} ({len(wrong)} such rows)"
        )
    return numbers


def _people(file: InputFile, texts: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(texts.replace("", "0"), errors="coerce")
    wrong = np.flatnonzero(~((numbers >= 0) & np.isfinite(numbers)))
    if len(wrong):
        first = int(wrong[0])
        raise RegionError(
            f"places file {file.path.name}, row {first + 1}: population {texts[first]!r} is not a number of people"
        )
    if not (numbers > 0).any():
        raise RegionError(
            f"places file {file.path.name}: no place has a population, and cities are the largest places: fill the "
            "column population"
        )
    return numbers.round().astype(np.int64)


def _ids(file: InputFile, places: pd.DataFrame) -> pd.Series:
    keys = [
        f"{name}|{lat:.5f}|{lon:.5f}"
        for name, lat, lon in zip(places["name"], places["lat"], places["lon"], strict=True)
    ]
    hashed = pd.Series([hashlib.sha256(key.encode()).hexdigest()[:12] for key in keys], index=places.index)
    ids = places["id"].where(places["id"] != "", hashed)
    twice = ids.duplicated()
    if twice.any():
        first = int(np.flatnonzero(twice)[0])
        raise RegionError(
            f"places file {file.path.name}, row {first + 1}: {places['name'][first]!r} has the id {ids[first]!r} of an "
            "earlier row: an id stands for one place"
        )
    return ids
