"""Write the ground partition out as a table and as a map: which block of land belongs to which part.

In: a region, and a box if only some of its ground is wanted. Out: one row a block that has land. The table is a view
of the keyed hash in ``partition``: nothing reads it back, so it cannot disagree with what splits the data.
"""

import io
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from shapely.geometry.base import BaseGeometry

from geolocate.errors import RegionError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cells import Ints, Texts, cell_codes
from geolocate.geography.partition import block_parts, partition_version
from geolocate.geography.projections import Floats, geometry_to_degrees, to_metres, zone_of
from geolocate.geography.regions import Region

#: Rows of blocks that are cut at once: bounds the memory, whatever the region's size.
_BAND = 100
_COLOURS = {"train": "#CFE3F1", "val": "#BFE5D8", "calibration": "#EED6E4", "test": "#F4B183"}
_MARKS = {
    "train": ("#0072B2", "o"),
    "val": ("#009E73", "s"),
    "calibration": ("#CC79A7", "D"),
    "test": ("#D55E00", "^"),
    "buffer": ("#6B7280", "x"),
    "sequence": ("#6B7280", "+"),
    "sample": ("#000000", "*"),
    "unseen": ("#6B7280", "."),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A box in degrees. Raises RegionError when it is turned over or empty."""

    lat_min: float
    lon_min: float
    lat_max: float
    lon_max: float

    def __post_init__(self) -> None:
        if not (-90 <= self.lat_min < self.lat_max <= 90 and -180 <= self.lon_min < self.lon_max <= 180):
            raise RegionError(
                f"box {self.lat_min:g},{self.lon_min:g},{self.lat_max:g},{self.lon_max:g}: "
                "give lat_min,lon_min,lat_max,lon_max in degrees, the smaller ones first"
            )

    def in_metres(self, crs: str) -> BaseGeometry:
        """Return the box in metres of a CRS, its edges bent as the projection bends them."""
        outline = shapely.segmentize(shapely.box(self.lon_min, self.lat_min, self.lon_max, self.lat_max), 0.1)
        lon, lat = shapely.get_coordinates(outline).T
        x, y = to_metres(crs, lat, lon)
        known = np.isfinite(x) & np.isfinite(y)
        return shapely.convex_hull(shapely.multipoints(np.column_stack([x[known], y[known]])))


def partition_table(region: Region, box: Box | None = None) -> gpd.GeoDataFrame:
    """Return ``block_id, part, partition_version, geometry`` (EPSG:4326) of the blocks that touch land.

    Raises RegionError when no land of the region is in the box.
    """
    frames = [_zone_blocks(region, zone, box) for zone in range(len(region.zones))]
    table = pd.concat(frames, ignore_index=True)
    if table.empty:
        raise RegionError(f"no land of region {region.name!r} is in that box: give lat_min,lon_min,lat_max,lon_max")
    table.insert(2, "partition_version", partition_version(region))
    return gpd.GeoDataFrame(table, geometry="geometry", crs="EPSG:4326")


def _zone_blocks(region: Region, zone: int, box: Box | None) -> gpd.GeoDataFrame:
    size_m = round(region.partition.block_km * 1000)
    land = boundary_of(region).land[zone]
    if box is not None:
        land = shapely.intersection(land, box.in_metres(region.zones[zone].crs))
    pieces = [_empty(), *(_band_blocks(region, zone, land, band) for band in _bands(land, size_m))]
    return pd.concat(pieces, ignore_index=True)


def _bands(land: BaseGeometry, size_m: int) -> list[tuple[int, int, int, int]]:
    """Cut the land's box into bands of blocks: first and last column, first and last row."""
    if land.is_empty:
        return []
    west, south, east, north = (int(edge // size_m) for edge in land.bounds)
    return [(west, east, row, min(row + _BAND - 1, north)) for row in range(south, north + 1, _BAND)]


def _band_blocks(region: Region, zone: int, land: BaseGeometry, band: tuple[int, int, int, int]) -> gpd.GeoDataFrame:
    size_m = round(region.partition.block_km * 1000)
    west, east, south, north = band
    strip = shapely.box(west * size_m, south * size_m, (east + 1) * size_m, (north + 1) * size_m)
    here = shapely.intersection(land, strip)
    if here.is_empty:
        return _empty()
    column, row = (axis.ravel() for axis in np.meshgrid(np.arange(west, east + 1), np.arange(south, north + 1)))
    shapely.prepare(here)
    squares = _squares(column, row, size_m)
    on_land = shapely.intersects(here, squares)
    ids = cell_codes(region.zones[zone].id_prefix, size_m, column[on_land], row[on_land])
    geometry = geometry_to_degrees(region.zones[zone].crs, squares[on_land])
    return gpd.GeoDataFrame({"block_id": ids, "part": block_parts(region, ids), "geometry": geometry}, crs="EPSG:4326")


def _squares(column: Ints, row: Ints, size_m: int) -> Texts:
    return np.asarray(shapely.box(column * size_m, row * size_m, (column + 1) * size_m, (row + 1) * size_m))


def _empty() -> gpd.GeoDataFrame:
    columns = {"block_id": pd.Series(dtype=object), "part": pd.Series(dtype=object)}
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs="EPSG:4326"))


def partition_map(region: Region, blocks: gpd.GeoDataFrame, rows: pd.DataFrame | None = None, title: str = "") -> bytes:
    """Draw blocks by part, the buffer around test blocks, and panoramas (``lat, lon, part``) if there are any, as PNG.

    Drawn in the CRS of the zone in which the middle of the blocks lies.
    """
    west, south, east, north = blocks.total_bounds
    middle = zone_of(region, np.array([(south + north) / 2]), np.array([(west + east) / 2]))
    zone = region.zones[max(int(middle[0]), 0)]
    metres = blocks.to_crs(zone.crs)
    figure = Figure(figsize=(7.5, 7.5), layout="constrained")
    axes = figure.add_subplot()
    handles = _draw_blocks(axes, metres, region.partition.buffer_km * 1000)
    if rows is not None:
        lat, lon = rows["lat"].to_numpy(float), rows["lon"].to_numpy(float)
        handles += _draw_rows(axes, rows["part"].to_numpy(str), *to_metres(zone.crs, lat, lon))
    axes.set_axis_off()
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    axes.set_title(title, fontsize=10)
    body = io.BytesIO()
    # Without the software's name and version the same data gives the same bytes.
    figure.savefig(body, format="png", dpi=110, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    return body.getvalue()


def _draw_blocks(axes: Axes, blocks: gpd.GeoDataFrame, buffer_m: float) -> list[Artist]:
    blocks.plot(ax=axes, color=[_COLOURS[part] for part in blocks["part"]], edgecolor="white", linewidth=0.6)
    test = shapely.union_all(blocks.geometry[blocks["part"] == "test"].to_numpy())
    look: dict[str, Any] = {"facecolor": "none", "edgecolor": "#B45309", "hatch": "////", "linewidth": 0.4}
    gpd.GeoSeries([shapely.difference(shapely.buffer(test, buffer_m), test)]).plot(ax=axes, **look)
    return [
        *(Patch(color=colour, label=f"{part} block") for part, colour in _COLOURS.items()),
        Patch(**look, label="buffer"),
    ]


def _draw_rows(axes: Axes, part: Texts, x: Floats, y: Floats) -> list[Artist]:
    handles: list[Artist] = []
    for name, (colour, mark) in _MARKS.items():
        here = part == name
        if here.any():
            label = f"{name} ({int(here.sum())})"
            handles += axes.plot(x[here], y[here], mark, color=colour, ms=5, mew=1, ls="none", label=label)
    return handles
