"""The report's figures, as PNG bytes.

In: a run's predictions, curves, and the region's outline. Out: pictures for a light page, in colours that people
who do not tell red from green can tell apart (Okabe and Ito's palette).
"""

import io
from collections.abc import Iterable

import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from shapely.geometry.base import BaseGeometry

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#6B7280"
_LAND, _COAST, _SEA = "#ECEBE4", "#A8A69A", "#F7FAFC"

#: Marks and dashes differ too, for a print without colours.
CHANCE_LINES = {"uniform": (GREY, ":"), "prior": (PURPLE, "-."), "best constant": (GREEN, "--")}


def prediction_map(predictions: pd.DataFrame, outline: BaseGeometry, title: str) -> bytes:
    """Draw true → predicted over the region's outline: a line for each test panorama."""
    figure = Figure(figsize=(7.2, 8.4))
    axes = figure.add_subplot()
    right = predictions["correct"].to_numpy(bool)
    ends = predictions[["lon", "lat", "predicted_lon", "predicted_lat"]].to_numpy(float).reshape(-1, 2, 2)
    draw_outline(axes, outline, ends.reshape(-1, 2))
    axes.add_collection(LineCollection(list(ends[~right]), colors=ORANGE, linewidths=0.7, alpha=0.45, zorder=2))
    axes.add_collection(LineCollection(list(ends[right]), colors=BLUE, linewidths=0.9, alpha=0.7, zorder=3))
    (true_lon, true_lat), (lon, lat) = ends[:, 0].T, ends[:, 1].T
    axes.scatter(true_lon, true_lat, s=16, c=BLUE, edgecolors="white", linewidths=0.4, label="true position", zorder=5)
    axes.scatter(lon, lat, s=18, c=ORANGE, marker="x", linewidths=1.1, label="predicted position", zorder=4)
    axes.plot([], [], color=BLUE, label=f"class right ({right.sum()})")
    axes.plot([], [], color=ORANGE, alpha=0.7, label=f"class wrong ({(~right).sum()})")
    axes.legend(loc="best", fontsize=8, framealpha=0.9)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("longitude, degrees")
    axes.set_ylabel("latitude, degrees")
    return png(figure)


def training_curves(curves: pd.DataFrame, best_epoch: int) -> bytes:
    """Draw the loss of train and val, and the accuracy on val, by epoch."""
    figure = Figure(figsize=(9.0, 3.4))
    losses, accuracy = figure.subplots(1, 2)
    losses.plot(curves["epoch"], curves["train_loss"], color=BLUE, marker="o", markersize=3, label="train")
    losses.plot(curves["epoch"], curves["val_loss"], color=ORANGE, marker="s", markersize=3, label="val")
    losses.set_ylabel("loss")
    losses.legend(fontsize=8)
    accuracy.plot(curves["epoch"], 100 * curves["val_accuracy"], color=ORANGE, marker="s", markersize=3)
    accuracy.set_ylabel("val accuracy, %")
    accuracy.set_ylim(bottom=0)
    for axes in (losses, accuracy):
        axes.axvline(best_epoch, color=GREY, linestyle=":", linewidth=1)
        axes.set_xlabel("epoch (dotted: the one that was kept)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain_axes(axes)
    return png(figure)


def error_distribution(predictions: pd.DataFrame, chance_mean_km: dict[str, float]) -> bytes:
    """Draw how far off the predictions are: a histogram, and the share within each distance."""
    figure = Figure(figsize=(9.0, 3.4))
    histogram, cumulative = figure.subplots(1, 2)
    km = np.sort(predictions["km"].to_numpy(float))
    histogram.hist(km, bins=min(40, max(10, len(km) // 8)), color=BLUE, edgecolor="white", linewidth=0.4)
    histogram.axvline(km.mean(), color="black", linewidth=1.4, label=f"model, {km.mean():.0f} km")
    for name, mean in chance_mean_km.items():
        colour, dashes = CHANCE_LINES[name]
        histogram.axvline(mean, color=colour, linestyle=dashes, linewidth=1.6, label=f"{name}, {mean:.0f} km")
    histogram.legend(title="mean distance", fontsize=8, title_fontsize=8)
    histogram.set_xlabel("distance from prediction to truth, km")
    histogram.set_ylabel("test panoramas")
    cumulative.step(km.clip(min=0.1), 100 * np.arange(1, len(km) + 1) / len(km), where="post", color=BLUE)
    cumulative.set_xscale("log")
    cumulative.set_xlabel("distance, km (logarithmic)")
    cumulative.set_ylabel("% of test panoramas within")
    cumulative.set_ylim(0, 102)
    for axes in (histogram, cumulative):
        plain_axes(axes)
    return png(figure)


def error_by_nearest_training(predictions: pd.DataFrame) -> bytes:
    """Draw the error against the distance to the nearest training panorama, with medians of equal-sized groups."""
    figure = Figure(figsize=(7.2, 3.6))
    axes = figure.add_subplot()
    near = predictions["nearest_train_km"].to_numpy(float).clip(min=0.01)
    km = predictions["km"].to_numpy(float).clip(min=0.1)
    axes.scatter(near, km, s=12, c=BLUE, alpha=0.45, linewidths=0, label="a test panorama")
    groups = np.array_split(np.argsort(near), min(6, max(1, len(near) // 8)))
    middles = [(np.median(near[group]), np.median(km[group])) for group in groups]
    axes.plot(*zip(*middles, strict=True), color=ORANGE, marker="D", markersize=5, label="median of a group")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("distance to the nearest training panorama, km")
    axes.set_ylabel("error, km")
    axes.legend(fontsize=8)
    plain_axes(axes)
    return png(figure)


def draw_outline(axes: Axes, outline: BaseGeometry, positions: np.ndarray) -> None:
    """Draw the land, framed by the parts of it where anything is: no ocean for a rock or a far-off state."""
    axes.set_facecolor(_SEA)
    for ring in _rings(outline):
        axes.fill(*ring.T, facecolor=_LAND, edgecolor=_COAST, linewidth=0.5, zorder=1)
    around = shapely.box(*positions.min(axis=0), *positions.max(axis=0)).buffer(0.1)
    parts = shapely.get_parts(outline)
    west, south, east, north = shapely.total_bounds([around, *parts[shapely.intersects(parts, around)]])
    # A degree of longitude is as long as one of latitude times the cosine of the latitude.
    axes.set_aspect(1 / np.cos(np.radians((south + north) / 2)))
    margin = 0.02 * max(east - west, north - south)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)


def _rings(outline: BaseGeometry) -> Iterable[np.ndarray]:
    return (shapely.get_coordinates(part.exterior) for part in shapely.get_parts(outline))


def plain_axes(axes: Axes) -> None:
    """Give the axes a light grid, plain numbers on logarithmic scales, and no box."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            # 0.5 and 200 rather than powers of ten, and not so many that they touch.
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=9))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#E5E7EB", linewidth=0.6)
    axes.set_axisbelow(True)


def png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG."""
    body = io.BytesIO()
    # Without the software's name and version the same data gives the same bytes.
    figure.savefig(body, format="png", dpi=130, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    return body.getvalue()
