"""Draw positions over a region's land.

In: positions in degrees, and what tells them apart. Out: one PNG, the same bytes for the same positions. Each zone of
the region with a position has axes of its own in its own projected metres, so that Alaska is no wider than it is.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from shapely.geometry.base import BaseGeometry

from geolocate.errors import RegionError, StorageError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.projections import Floats, Ints, project
from geolocate.geography.regions import Region
from geolocate.storage import atomic_write

# Okabe and Ito's colours, which people who do not tell red from green can tell apart; the marks differ too.
_CYCLE = (
    ("#0072B2", "o"),
    ("#D55E00", "^"),
    ("#009E73", "s"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "p"),
    ("#000000", "*"),
)
#: The parts of the ground look the same on every map; what is in none lies below the others.
_PARTS = {
    "in no part": ("#9CA3AF", "o"),
    "train": ("#0072B2", "o"),
    "val": ("#009E73", "s"),
    "calibration": ("#CC79A7", "D"),
    "test": ("#D55E00", "^"),
}
_LAND, _COAST, _SEA = "#ECEBE4", "#A8A69A", "#F7FAFC"
#: More labels than this are told apart by colour alone, without a legend.
_MOST_IN_LEGEND = 12
_MAIN_INCHES = 6.4
_INSET_SHARE = 0.3
_DPI = 110
_DETAIL = 1500  # of the coast, in steps across the land: finer than a pixel


def draw_points(
    region: Region,
    lat: npt.ArrayLike,
    lon: npt.ArrayLike,
    path: Path,
    *,
    colour_by: npt.ArrayLike | None = None,
    title: str = "",
) -> None:
    """Write the map of ``map_png`` to a .png file, which is replaced when it is there.

    Raises StorageError for a file of another kind, or that cannot be written.
    """
    if path.suffix != ".png":
        raise StorageError(f"map {path}: choose a name that ends in .png")
    body = map_png(region, lat, lon, colour_by=colour_by, title=title)
    with atomic_write(path) as file:
        file.write(body)


def map_png(
    region: Region,
    lat: npt.ArrayLike,
    lon: npt.ArrayLike,
    *,
    colour_by: npt.ArrayLike | None = None,
    title: str = "",
) -> bytes:
    """Return a PNG of the positions over the region's land, framed by the land that they are on.

    ``colour_by`` is one label a position: the parts of the ground, or others in sorted order; up to twelve have a
    legend with their counts. Raises RegionError when no position is in a zone of the region.
    """
    at = project(region, lat, lon)
    zones = np.unique(at.zone[at.zone >= 0])
    if len(zones) == 0:
        raise RegionError(f"no position is in region {region.name!r}: there is nothing to draw")
    labels = _labels(np.full(at.zone.shape, "") if colour_by is None else colour_by)
    frames = [_frame(region, int(zone), at.x[at.zone == zone], at.y[at.zone == zone]) for zone in zones]
    frames.sort(key=lambda frame: -frame.width * frame.height)
    figure = _figure(frames)
    for axes, frame in zip(figure.axes, frames, strict=True):
        here = np.flatnonzero(at.zone == frame.zone)
        _draw_land(axes, frame)
        _draw_positions(axes, at.x[here], at.y[here], labels[here], len(at.zone))
        axes.set_title(region.zones[frame.zone].name if len(frames) > 1 else "", fontsize=7, loc="left", pad=2)
    if title:
        figure.suptitle(title, fontsize=10)
    if colour_by is not None:
        _legend(figure, labels)
    return _png(figure)


def _labels(texts: npt.ArrayLike) -> pd.Categorical:
    found = pd.unique(pd.Series(texts, dtype=str))
    known = [part for part in _PARTS if part in found]
    return pd.Categorical(pd.Series(texts, dtype=str), [*known, *sorted(set(found) - set(known))])


@dataclass(frozen=True)
class _Frame:
    """A zone's land, and the box of it that is drawn, in metres."""

    zone: int
    land: BaseGeometry
    west: float
    south: float
    east: float
    north: float

    @property
    def width(self) -> float:
        return self.east - self.west

    @property
    def height(self) -> float:
        return self.north - self.south


@cache
def _outline(region: Region, zone: int) -> BaseGeometry:
    """Return a zone's land in metres, as fine as a picture can show."""
    land = boundary_of(region).land[zone]
    west, south, east, north = land.bounds
    return shapely.simplify(land, max(east - west, north - south) / _DETAIL)


def _frame(region: Region, zone: int, x: Floats, y: Floats) -> _Frame:
    """Frame the parts of the land that the positions' surroundings touch: no ocean for a rock far off."""
    land = _outline(region, zone)
    parts = shapely.get_parts(land)
    around = shapely.box(x.min(), y.min(), x.max(), y.max()).buffer(5000.0)
    west, south, east, north = shapely.total_bounds([around, *parts[shapely.intersects(parts, around)]])
    margin = 0.03 * max(east - west, north - south)
    return _Frame(zone, land, west - margin, south - margin, east + margin, north + margin)


def _figure(frames: list[_Frame]) -> Figure:
    """Lay the largest zone out above, the others in a row below it."""
    main, others = frames[0], frames[1:]
    scale = _MAIN_INCHES / max(main.width, main.height)
    width, height = max(4.0, main.width * scale), max(2.5, main.height * scale)
    below = height * _INSET_SHARE if others else 0.0
    figure = Figure(figsize=(width, height + below + 0.4), layout="constrained")
    grid = GridSpec(2 if others else 1, max(1, len(others)), figure, height_ratios=[height, below][: 1 + bool(others)])
    figure.add_subplot(grid[0, :])
    for column in range(len(others)):
        figure.add_subplot(grid[1, column])
    return figure


def _draw_land(axes: Axes, frame: _Frame) -> None:
    axes.set_facecolor(_SEA)
    for part in shapely.get_parts(frame.land):
        axes.fill(*shapely.get_coordinates(part.exterior).T, facecolor=_LAND, edgecolor=_COAST, linewidth=0.5)
        for lake in part.interiors:
            axes.fill(*shapely.get_coordinates(lake).T, facecolor=_SEA, edgecolor=_COAST, linewidth=0.4)
    axes.set_xlim(frame.west, frame.east)
    axes.set_ylim(frame.south, frame.north)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    _scale_bar(axes, frame)


def _scale_bar(axes: Axes, frame: _Frame) -> None:
    """Draw a round number of kilometres in the lower left corner, about a fifth of the width."""
    wanted = frame.width / 5000
    power = 10.0 ** np.floor(np.log10(wanted))
    km = power * max(step for step in (1, 2, 5) if step * power <= wanted)
    x, y = frame.west + 0.04 * frame.width, frame.south + 0.04 * frame.height
    axes.plot([x, x + km * 1000], [y, y], color="#374151", linewidth=1.5, solid_capstyle="butt", zorder=5)
    axes.annotate(f"{km:g} km", (x, y), (0, 3), textcoords="offset points", fontsize=7, color="#374151", zorder=5)


def _draw_positions(axes: Axes, x: Floats, y: Floats, labels: pd.Categorical, total: int) -> None:
    size = float(np.clip(100 / np.sqrt(total), 0.8, 4.5))
    codes: Ints = np.asarray(labels.codes, dtype=np.int64)
    for code, (colour, mark) in enumerate(_looks(labels.categories)):
        here = codes == code
        axes.plot(x[here], y[here], ls="none", marker=mark, ms=size, mew=0, color=colour, alpha=0.85, zorder=3)


def _looks(labels: Iterable[str]) -> list[tuple[str, str]]:
    """Return the colour and mark of each label; where there are too many for a legend, marks would tell nothing."""
    looks = [_PARTS.get(label, _CYCLE[index % len(_CYCLE)]) for index, label in enumerate(labels)]
    return looks if len(looks) <= _MOST_IN_LEGEND else [(colour, "o") for colour, _ in looks]


def _legend(figure: Figure, labels: pd.Categorical) -> None:
    counts = pd.Series(labels).value_counts(sort=False)
    if len(counts) > _MOST_IN_LEGEND:
        return
    marks = [
        Line2D([], [], ls="none", marker=mark, ms=5, mew=0, color=colour, label=f"{label} ({count:,})")
        for (label, count), (colour, mark) in zip(counts.items(), _looks(counts.index), strict=True)
        if count
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=7, frameon=False)


def _png(figure: Figure) -> bytes:
    body = io.BytesIO()
    # Without the software's name and version the same data gives the same bytes.
    figure.savefig(body, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    return body.getvalue()
