"""Points that somebody else has chosen: read from tables, and turned into a plan; and plans as tables for others.

In: a CSV or Parquet file with a position a row, or a folder of CSV files, one a grid cell, as the study kept them.
Out: a table with ``lat, lon`` and, where the file has them, ``town``, ``image`` and ``cell``; or a plan over it.
"""

import hashlib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolocate.errors import PlanError
from geolocate.storage import atomic_write

#: The spellings under which a column is found; case and blanks around a name do not matter.
SPELLINGS = {
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "long", "longitude"),
    "town": ("town", "city", "label", "name"),
    "image": ("image", "path", "file", "filename"),
}
_LIMITS = {"lat": 90.0, "lon": 180.0}
_RADIUS_M = 250.0  # as for cities: the panorama is to be of the place that was named
_SHARD_SIZE = 100


def read_points(path: Path) -> pd.DataFrame:
    """Read positions and what the table says of them; every other column is kept as it is.

    A folder's CSV files are read one after the other, with the file's name in ``cell``. Raises PlanError for a file
    that cannot be read or has no positions, naming file and row.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise PlanError(f"no CSV file in {path}: give a CSV or Parquet file of positions, or a folder of CSV files")
    tables = [_read(file) for file in files]
    if path.is_dir():
        tables = [table.assign(cell=file.stem) for table, file in zip(tables, files, strict=True)]
    return pd.concat(tables, ignore_index=True)


def _read(file: Path) -> pd.DataFrame:
    try:
        if file.suffix == ".parquet":
            table = pd.read_parquet(file)
        else:
            table = pd.read_csv(file, encoding="utf-8-sig", skipinitialspace=True, keep_default_na=False, dtype=str)
    except (OSError, ValueError) as error:
        raise PlanError(f"positions {file} cannot be read: {str(error).splitlines()[0]}") from None
    table = table.rename(columns=_canonical(list(table.columns)))
    missing = [name for name in ("lat", "lon") if name not in table]
    if missing:
        spelt = " and ".join("/".join(SPELLINGS[name]) for name in missing)
        raise PlanError(f"positions {file}: no column {spelt}; there is {', '.join(map(str, table.columns))}")
    for name, limit in _LIMITS.items():
        table[name] = _degrees(file, table[name], limit)
    return table


def _canonical(columns: list[str]) -> dict[str, str]:
    """Name each known column by its first spelling that is there; a second one keeps its own name."""
    plain = {str(column).strip().lower(): column for column in reversed(columns)}
    found = {}
    for name, spellings in SPELLINGS.items():
        there = next((plain[spelling] for spelling in spellings if spelling in plain), None)
        if there is not None:
            found[there] = name
    return found


def _degrees(file: Path, values: "pd.Series[str]", limit: float) -> "pd.Series[float]":
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = np.flatnonzero(~(numbers.abs() <= limit))  # also where it is no number
    if len(wrong):
        row = int(wrong[0])
        raise PlanError(
            f"positions {file}, row {row + 1}: {values.name} {values.iloc[row]!r}: degrees from {-limit:g} to "
            f"{limit:g} are needed ({len(wrong)} such rows)"
        )
    return numbers


def plan_of_points(points: pd.DataFrame) -> pd.DataFrame:
    """Plan one point a different position, in groups by town where the table names towns.

    ``sample_weight`` is 1 throughout: nobody knows of how much land such points are a sample. The same positions give
    the same point ids, whatever the order of the rows. Raises PlanError for a table without rows.
    """
    if points.empty:
        raise PlanError("the table has no row: give at least one position")
    # Adding 0 turns -0.0 into 0.0: the same meridian, and the same text in the id.
    lat, lon = points["lat"].round(6) + 0.0, points["lon"].round(6) + 0.0
    town = points["town"].astype(str) if "town" in points else pd.Series("", index=points.index)
    plan = pd.DataFrame(
        {
            "point_id": [_point_id(*position) for position in zip(lat, lon, strict=True)],
            "draw": 0,
            "group_id": town.replace("", "points"),
            "group_name": town.replace("", "points"),
            "lat": lat,
            "lon": lon,
            "radius_m": _RADIUS_M,
            "sample_weight": 1.0,
        }
    )
    plan = plan.drop_duplicates("point_id").sort_values(["group_id", "point_id"], ignore_index=True)
    return plan.assign(shard=plan.index // _SHARD_SIZE)


def _point_id(lat: float, lon: float) -> str:
    return "point-" + hashlib.blake2b(f"{lat:.6f},{lon:.6f}".encode(), digest_size=8).hexdigest()


def write_plan(plan: pd.DataFrame, path: Path) -> None:
    """Write a plan, one row a point and draw, as GeoParquet (.parquet) or GeoJSON (.geojson), for any map program.

    Raises PlanError for another kind of file, StorageError when it cannot be written.
    """
    if path.suffix not in (".parquet", ".geojson"):
        raise PlanError(f"plan file {path}: choose a name that ends in .parquet or .geojson")
    frame = gpd.GeoDataFrame(plan, geometry=gpd.points_from_xy(plan["lon"], plan["lat"]), crs="EPSG:4326")
    with atomic_write(path) as file:
        if path.suffix == ".parquet":
            frame.to_parquet(file, index=False)
        else:
            file.write(frame.to_json(drop_id=True).encode())
