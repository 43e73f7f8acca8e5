"""Read where photographs were taken from a table beside them.

In: a folder with ``positions.csv``, ``.parquet`` or ``.geojson``, or such a file. Out: file -> position. Columns are
``file, lat, lon`` and optionally ``heading``; a GeoJSON file has points with the properties ``file`` and ``heading``.
"""

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from geolocate.errors import ProviderError

SUFFIXES = (".csv", ".parquet", ".geojson")
_COLUMNS = ("file", "lat", "lon")
_Row = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a photograph was taken, degrees; NaN where that is not known. ``heading`` None: the table does not say."""

    lat: float
    lon: float
    heading: float | None = None

    @property
    def known(self) -> bool:
        """Whether it is a place on Earth."""
        return abs(self.lat) <= 90 and abs(self.lon) <= 180


def positions_for(folder: Path, table: Path | None = None) -> dict[str, Position]:
    """Return the positions in a table, by the path of each file below the folder; none where there is no table.

    Without ``table`` it is ``positions.csv``, ``.parquet`` or ``.geojson`` in the folder. A position that is empty or
    NaN is kept as unknown: the table says so, and it wins over EXIF. Raises ProviderError for a table that is missing,
    malformed or says two things about one file, naming the line.
    """
    there = [folder / f"positions{suffix}" for suffix in SUFFIXES if (folder / f"positions{suffix}").is_file()]
    if table is None and len(there) > 1:
        raise ProviderError(f"{folder} holds {' and '.join(path.name for path in there)}: keep one, or name it")
    path = table or next(iter(there), None)
    if path is None:
        return {}
    found: dict[str, Position] = {}
    for where, row in _rows_of(path):
        name = str(row["file"] or "").removeprefix("./")
        if name in found:
            raise ProviderError(f"{path}, {where}: {name} stands in it twice; leave one of the lines out")
        found[name] = _position(f"{path}, {where}", row)
    return found


def _rows_of(path: Path) -> Iterator[_Row]:
    read = {".csv": _csv_rows, ".parquet": _parquet_rows, ".geojson": _geojson_rows}.get(path.suffix.lower())
    if read is None:
        raise ProviderError(f"positions {path}: give a file that ends in {', '.join(SUFFIXES)}")
    try:
        yield from read(path)
    except FileNotFoundError:
        raise ProviderError(f"no file {path}: name the table of positions") from None
    except UnicodeDecodeError:
        raise ProviderError(f"{path} is not UTF-8: save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise ProviderError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _csv_rows(path: Path) -> Iterator[_Row]:
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    _check_columns(path, rows.fieldnames or ())
    for row in rows:
        yield f"line {rows.line_num}", row


def _parquet_rows(path: Path) -> Iterator[_Row]:
    table = pd.read_parquet(path)
    _check_columns(path, list(table.columns))
    for number, row in enumerate(table.to_dict("records"), 1):
        yield f"row {number}", {str(name): value for name, value in row.items()}


def _geojson_rows(path: Path) -> Iterator[_Row]:
    try:
        value = json.loads(path.read_bytes())
    except RecursionError:
        raise ProviderError(f"{path} cannot be read: its brackets are nested too deeply for points") from None
    features = value.get("features") if isinstance(value, dict) else None
    if not isinstance(features, list):
        raise ProviderError(f"{path} is no FeatureCollection: give points with the properties file and heading")
    for number, feature in enumerate(features, 1):
        properties = (feature.get("properties") if isinstance(feature, dict) else None) or {}
        geometry = (feature.get("geometry") if isinstance(feature, dict) else None) or {}
        if "file" not in properties or geometry.get("type", "Point") != "Point":
            raise ProviderError(f"{path}, feature {number}: a point with the property file is needed")
        lon, lat = [*geometry.get("coordinates", []), None, None][:2]
        yield f"feature {number}", {**properties, "lat": lat, "lon": lon}


def _check_columns(path: Path, columns: Any) -> None:
    missing = set(_COLUMNS) - set(columns)
    if missing:
        raise ProviderError(f"{path} lacks the columns {', '.join(sorted(missing))}: give file,lat,lon[,heading]")


def _position(where: str, row: dict[str, Any]) -> Position:
    try:
        lat, lon, heading = (_number(row.get(name)) for name in ("lat", "lon", "heading"))
    except (TypeError, ValueError):
        raise ProviderError(f"{where}: lat, lon and heading must be numbers") from None
    if math.isinf(heading):
        raise ProviderError(f"{where}: heading {heading} is no direction; leave it empty")
    if abs(lat) > 90 or abs(lon) > 180:
        raise ProviderError(f"{where}: {lat}, {lon} is no latitude and longitude")
    return Position(lat, lon, None if math.isnan(heading) else heading % 360)


def _number(value: Any) -> float:
    """Read a number; nothing, an empty text and pandas' missing values are NaN."""
    return math.nan if value is None or value is pd.NA or value == "" else float(value)
