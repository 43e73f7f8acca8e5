"""Read polygons out of whatever file a user has them in, and say plainly what is wrong with it.

In: a GeoJSON, GeoPackage, Shapefile, TopoJSON or GeoParquet file. Out: polygons in degrees, longitudes from -180 to
180, every one valid.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FieldError
from pyproj import CRS
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from geolocate.errors import RegionError

PARQUET = (".parquet", ".geoparquet", ".pq")
_POLYGONS = ("Polygon", "MultiPolygon")
_DECIMALS = 6  # 0.1 m
#: One edge of an outline never goes half round the earth; one that seems to has come over the antimeridian.
_HALF_ROUND = 180.0


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of the user's: what it is, where it is from, and how to read it.

    ``source`` is free text with publisher, date and licence. ``crs`` stands in where the file names none. With
    ``repair``, outlines that cross themselves are mended instead of refused.
    """

    path: Path
    source: str
    crs: str | None = None
    repair: bool = False


def read_land(file: InputFile) -> BaseGeometry:
    """Return all polygons of a file as one geometry with (lon, lat) coordinates.

    Raises RegionError for a file that cannot be read, has no CRS, no polygons or no area, crosses itself, or crosses
    the antimeridian within one polygon.
    """
    land = shapely.union_all(read_polygons(file).geometry.to_numpy(), grid_size=10.0**-_DECIMALS)
    if land.area == 0:
        raise RegionError(f"{file.path.name}: its polygons have no area: is this the boundary?")
    return land


def read_polygons(file: InputFile) -> gpd.GeoDataFrame:
    """Return the rows of a file that are polygons, in EPSG:4326, with their other columns.

    Raises RegionError as ``read_land`` does.
    """
    frame = _read(file)
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)].reset_index(drop=True)
    if frame.empty:
        raise RegionError(f"{file.path.name} is empty: it holds no geometry")
    kinds = sorted(set(frame.geom_type))
    frame = frame[frame.geom_type.isin(_POLYGONS)].reset_index(drop=True)
    if frame.empty:
        raise RegionError(f"{file.path.name} holds {', '.join(kinds)} and no polygons: a boundary encloses its ground")
    frame = _in_degrees(file, frame)
    _refuse_crossing(file, frame)
    rounded = shapely.set_precision(_valid(file, frame), 10.0**-_DECIMALS)
    return frame.set_geometry(gpd.GeoSeries([_wrapped(one) for one in rounded], crs="EPSG:4326"))


def _read(file: InputFile) -> gpd.GeoDataFrame:
    if not file.path.is_file():
        raise RegionError(f"no file {file.path}")
    try:
        frame = gpd.read_parquet(file.path) if file.path.suffix in PARQUET else gpd.read_file(file.path)
    except (DataSourceError, DataLayerError, FieldError, OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise RegionError(
            f"{file.path.name} cannot be read ({first}): give GeoJSON, GeoPackage, Shapefile, TopoJSON or GeoParquet"
        ) from None
    if not isinstance(frame, gpd.GeoDataFrame):
        raise RegionError(f"{file.path.name} is a table without geometry: give a file of polygons")
    return frame


def _in_degrees(file: InputFile, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    crs = frame.crs or _parsed(file)
    if crs is None:
        raise RegionError(
            f"{file.path.name} does not say its CRS: find out which it is, and name it (--input-crs EPSG:4326 for "
            "degrees)"
        )
    frame = frame.set_crs(crs, allow_override=True)
    west, south, east, north = frame.total_bounds
    if crs.is_geographic and not (west >= -360 and east <= 360 and south >= -90 and north <= 90):
        raise RegionError(
            f"{file.path.name} is said to be in degrees ({crs.to_string()}) and holds coordinates up to "
            f"{max(abs(value) for value in (west, south, east, north)):.0f}: it lacks its true, projected CRS"
        )
    try:
        moved = frame.to_crs("EPSG:4326")
    except ProjError as error:
        raise RegionError(f"{file.path.name} cannot be taken from {crs.to_string()} to degrees: {error}") from None
    if not np.isfinite(moved.total_bounds).all():
        raise RegionError(f"{file.path.name} has coordinates outside the reach of {crs.to_string()}, its CRS")
    return moved


def _parsed(file: InputFile) -> Any:
    if file.crs is None:
        return None
    try:
        return CRS.from_user_input(file.crs)
    except CRSError:
        raise RegionError(f"CRS {file.crs!r} is unknown: give one such as EPSG:4326") from None


def _refuse_crossing(file: InputFile, frame: gpd.GeoDataFrame) -> None:
    for row, geometry in enumerate(frame.geometry):
        for ring in shapely.get_rings(shapely.get_parts(geometry)):
            lon = shapely.get_coordinates(ring)[:, 0]
            if np.abs(np.diff(lon)).max(initial=0.0) > _HALF_ROUND:
                raise RegionError(
                    f"{file.path.name}: {_row_name(frame, row)} runs across the antimeridian (an edge of "
                    f"{np.abs(np.diff(lon)).max():.0f} degrees): cut it there first, for instance with "
                    "ogr2ogr -wrapdateline -t_srs EPSG:4326 cut.gpkg FILE"
                )


def _valid(file: InputFile, frame: gpd.GeoDataFrame) -> Any:
    geometry = frame.geometry.to_numpy()
    wrong = np.flatnonzero(~shapely.is_valid(geometry))
    if len(wrong) and not file.repair:
        row = int(wrong[0])
        reason = str(shapely.is_valid_reason(geometry[row]))
        what, _, where = reason.partition("[")
        lon, _, lat = where.rstrip("]").partition(" ")
        near = f" near lat {float(lat):.4f}, lon {float(lon):.4f}" if lat else ""
        raise RegionError(
            f"{file.path.name}: {_row_name(frame, row)} is not valid ({what.lower()}{near}): mend it, or let --repair "
            "do it"
        )
    mended = shapely.make_valid(geometry)
    return np.array([_polygons_only(one) for one in mended], dtype=object)


def _polygons_only(geometry: BaseGeometry) -> BaseGeometry:
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in _POLYGONS]
    return shapely.union_all(parts) if parts else shapely.MultiPolygon()


def _wrapped(geometry: BaseGeometry) -> BaseGeometry:
    """Bring longitudes beyond 180 degrees, as some files have them, back to -180 to 180."""
    west, _, east, _ = shapely.bounds(geometry)
    if not (west < -180 or east > 180):
        return geometry
    pieces = []
    for shift in (-360, 0, 360):
        moved = shapely.transform(geometry, lambda points, by=shift: points + np.array([by, 0]))
        pieces.append(_polygons_only(shapely.intersection(moved, shapely.box(-180, -90, 180, 90))))
    return shapely.union_all(pieces)


def _row_name(frame: pd.DataFrame, row: int) -> str:
    """Name a row as a user would find it: by its name, if the file has one."""
    for column in ("name", "NAME", "admin2_name", "admin1_name", "id"):
        if column in frame.columns and isinstance(frame[column].iloc[row], str):
            return f"polygon {row + 1} ({frame[column].iloc[row]})"
    return f"polygon {row + 1}"
