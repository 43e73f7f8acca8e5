"""The picture of a region: its land, the cells of its usual grid, its places.

In: a region. Out: one PNG, the same bytes for the same region. Each zone has axes of its own, in its own metres.
"""

import io

import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from geolocate.geography.boundaries import boundary_of
from geolocate.geography.grids import grid_cells
from geolocate.geography.places import real_places
from geolocate.geography.projections import geometry_to_metres, project
from geolocate.geography.regions import Region
from geolocate.reporting.figures import BLUE, GREEN, ORANGE

_LAND, _LINES, _SEA = "#ECEBE4", "#A8A69A", "#F7FAFC"
#: From how many people on, what that is called, and how such a place is marked: shapes tell in print without colours.
_SIZES = (
    (0, "fewer people", BLUE, "o", 5),
    (10_000, "10,000 to 100,000 people", ORANGE, "^", 16),
    (100_000, "100,000 people and more", GREEN, "s", 26),
)
_HEIGHT_INCHES = 7.0
_MOST_INCHES = 14.0


def region_map(region: Region) -> bytes:
    """Draw the region, the zone with most land first."""
    land = boundary_of(region).land
    order = sorted(range(len(land)), key=lambda zone: -land[zone].area)
    spans = [shapely.bounds(land[zone]) for zone in order]
    ratios = [(east - west) / (north - south) for west, south, east, north in spans]
    width = min(_MOST_INCHES, max(4.0, _HEIGHT_INCHES * ratios[0]) * (1 + 0.5 * (len(order) - 1)))
    figure = Figure(figsize=(width, _HEIGHT_INCHES), layout="constrained")
    widths = [1.0] + [0.5] * (len(order) - 1)
    for axes, zone in zip(figure.subplots(1, len(order), squeeze=False, width_ratios=widths)[0], order, strict=True):
        _draw_zone(axes, region, zone)
    figure.axes[0].legend(loc="best", fontsize=8, framealpha=0.9)
    figure.suptitle(f"{region.title}: places, and cells of {region.grid_km:g} km", fontsize=10)
    body = io.BytesIO()
    # Without the software's name and version the same region gives the same bytes.
    figure.savefig(body, format="png", dpi=110, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    return body.getvalue()


def _draw_zone(axes: Axes, region: Region, zone: int) -> None:
    crs = region.zones[zone].crs
    cells = grid_cells(region, region.grid_km)
    here = project(region, cells["lat"], cells["lon"]).zone == zone
    outlines = shapely.boundary(geometry_to_metres(crs, cells.geometry.to_numpy()[here]))
    lines = [shapely.get_coordinates(line) / 1000 for line in shapely.get_parts(outlines)]
    for part in shapely.get_parts(boundary_of(region).land[zone]):
        axes.fill(*shapely.get_coordinates(shapely.get_exterior_ring(part)).T / 1000, color=_LAND, zorder=1)
    axes.add_collection(LineCollection(lines, colors=_LINES, linewidths=0.5, zorder=2))
    _draw_places(axes, region, zone)
    axes.set_facecolor(_SEA)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=7)
    axes.set_xlabel(f"{region.zones[zone].name}, km in {crs if len(crs) < 20 else 'its own projection'}", fontsize=8)


def _draw_places(axes: Axes, region: Region, zone: int) -> None:
    places = real_places(region)
    at = project(region, places["lat"], places["lon"])
    bounds = [least for least, *_ in _SIZES] + [np.inf]
    size = pd.cut(places["population"], bounds, labels=False, right=False).to_numpy()
    for number, (_, name, colour, mark, area) in enumerate(_SIZES):
        here = (at.zone == zone) & (size == number)
        label = f"{name} ({here.sum():,})"
        x, y = at.x[here] / 1000, at.y[here] / 1000
        zorder = 3 + number
        axes.scatter(
            x, y, s=area, c=colour, marker=mark, label=label, linewidths=0.3, edgecolors="white", zorder=zorder
        )
