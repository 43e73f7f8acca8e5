"""The coverage map of a dataset version: where its panoramas stand, by part of the ground.

In: panoramas with positions and parts, and the region. Out: PNG bytes, the same for the same panoramas.
"""

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geolocate.geography.boundaries import boundary_of
from geolocate.geography.regions import Region

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REST = "in no part"
# Okabe and Ito's colours, which people who do not tell red from green can tell apart; the marks differ too.
_MARKS = {
    "train": ("#0072B2", "o"),
    "val": ("#009E73", "s"),
    "calibration": ("#CC79A7", "D"),
    "test": ("#D55E00", "^"),
    _REST: ("#9CA3AF", "."),
}
_LAND, _COAST, _SEA = "#ECEBE4", "#A8A69A", "#F7FAFC"


def coverage_map(panoramas: pd.DataFrame, region: Region, title: str) -> bytes:
    """Draw each panorama (``lat, lon, part``) over the region's land, framed by the land where any is."""
    # Loading it takes most of a second, which only publishing should pay.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 7.2))
    axes = figure.add_subplot()
    _draw_land(axes, region, panoramas)
    part = panoramas["part"].where(panoramas["part"].isin(_MARKS), _REST)
    for layer, (name, (colour, mark)) in enumerate(_MARKS.items()):
        rows = panoramas[part == name]
        if len(rows):
            label = f"{name} ({len(rows)})"
            # The few on top of the many; what is in no part lies below.
            zorder = 2 if name == _REST else 3 + layer
            axes.scatter(
                rows["lon"], rows["lat"], s=11, c=colour, marker=mark, linewidths=0, label=label, zorder=zorder
            )
    axes.legend(loc="best", fontsize=8, framealpha=0.9, title="panoramas", title_fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("longitude, degrees")
    axes.set_ylabel("latitude, degrees")
    body = io.BytesIO()
    # Without the software's name and version the same data gives the same bytes.
    figure.savefig(body, format="png", dpi=110, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    return body.getvalue()


def _draw_land(axes: "Axes", region: Region, panoramas: pd.DataFrame) -> None:
    """Draw the parts of the land that the panoramas' surroundings touch: no ocean for a rock or a far-off state."""
    axes.set_facecolor(_SEA)
    parts = shapely.get_parts(boundary_of(region).outline)
    low, high = panoramas[["lon", "lat"]].min(), panoramas[["lon", "lat"]].max()
    around = shapely.box(low["lon"], low["lat"], high["lon"], high["lat"]).buffer(0.1)
    for part in parts:
        axes.fill(*shapely.get_coordinates(part.exterior).T, facecolor=_LAND, edgecolor=_COAST, linewidth=0.5, zorder=1)
    west, south, east, north = shapely.total_bounds([around, *parts[shapely.intersects(parts, around)]])
    # A degree of longitude is as long as one of latitude times the cosine of the latitude.
    axes.set_aspect(1 / np.cos(np.radians((south + north) / 2)))
    margin = 0.02 * max(east - west, north - south)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
