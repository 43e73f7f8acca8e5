"""Figures about the answers: which places are taken for which, and where the error is large.

In: tables of ``sections`` and the bins of metrics.json. Out: pictures as PNG bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from shapely.geometry.base import BaseGeometry

from geolocate.reporting.figures import BLUE, GREEN, GREY, ORANGE, draw_outline, plain_axes, png

#: Beyond this many pairs a map of confusions is a tangle.
_PAIRS = 80


def confusion_map(pairs: pd.DataFrame, places: pd.DataFrame, outline: BaseGeometry) -> bytes:
    """Draw an arrow from each class to the one that it is taken for, the broader the more often.

    Dots are the classes with test panoramas, the larger the more of them, the darker the more often right.
    """
    figure = Figure(figsize=(7.2, 8.4))
    axes = figure.add_subplot()
    shown = pairs.head(_PAIRS)
    ends = np.vstack(
        [places[["lon", "lat"]].to_numpy(float), shown[["predicted_lon", "predicted_lat"]].to_numpy(float)]
    )
    draw_outline(axes, outline, ends)
    most = max(1, int(shown["count"].max())) if len(shown) else 1
    for row in shown.to_dict(orient="records"):
        axes.annotate(
            "",
            xy=(row["predicted_lon"], row["predicted_lat"]),
            xytext=(row["lon"], row["lat"]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": ORANGE,
                "alpha": 0.25 + 0.6 * row["count"] / most,
                "linewidth": 0.4 + 2.6 * row["count"] / most,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=3,
        )
    dots = axes.scatter(
        places["lon"],
        places["lat"],
        s=12 + 60 * places["panoramas"] / places["panoramas"].max(),
        c=100 * places["accuracy"],
        cmap="cividis_r",
        vmin=0,
        vmax=100,
        edgecolors="white",
        linewidths=0.5,
        zorder=4,
    )
    figure.colorbar(dots, ax=axes, label="accuracy of the class, %", shrink=0.6)
    axes.set_title(f"the {len(shown)} commonest of {len(pairs)} confusions", fontsize=10)
    axes.set_xlabel("longitude, degrees")
    axes.set_ylabel("latitude, degrees")
    return png(figure)


def error_by_stratum(strata: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """Draw the mean distance of each bin with its interval, beside the best constant on the same panoramas."""
    figure = Figure(figsize=(9.0, 3.6))
    titles = {"nearest_train_km": "by distance to the nearest training panorama", "settlement": "by people within 5 km"}
    for axes, (name, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        bins = strata[name]
        at = np.arange(len(bins))
        for shift, system, label, colour, mark in (
            (-0.1, "model", "model", BLUE, "o"),
            (0.1, "best_constant", "best constant", GREEN, "s"),
        ):
            cells = [one["mean_km"][system] for one in bins]
            value, spread = _with_spread(cells)
            axes.errorbar(at + shift, value, yerr=spread, fmt=mark, color=colour, capsize=3, label=label)
        axes.set_xticks(at, [f"{one['name']}\nn = {one['panoramas']}" for one in bins], fontsize=7)
        axes.set_title(title, fontsize=9, color=GREY)
        axes.set_ylim(bottom=0)
        plain_axes(axes)
    figure.axes[0].set_ylabel("mean distance, km")
    figure.axes[0].legend(fontsize=8)
    return png(figure)


def reliability_diagram(sureness: Mapping[str, Any]) -> bytes:
    """Draw how often answers are right by how sure they are, and how far off the surest are by the share answered."""
    figure = Figure(figsize=(9.0, 3.6))
    reliable, risk = figure.subplots(1, 2)
    bins, ece = sureness["reliability"], sureness["ece"]
    sizes = np.array([one["panoramas"] for one in bins], dtype=float)
    reliable.plot([0, 100], [0, 100], color=GREY, linestyle=":", label="as often right as it says")
    reliable.scatter(
        [100 * one["confidence"] for one in bins],
        [100 * one["accuracy"] for one in bins],
        s=20 + 160 * sizes / sizes.max(),
        color=BLUE,
        label="a bin, the larger the more panoramas",
    )
    reliable.set_xlabel("probability that it gives its class, %")
    reliable.set_ylabel("right, %")
    reliable.set_title(f"expected calibration error {ece['value']:.3f}", fontsize=9, color=GREY)
    reliable.legend(fontsize=7)
    curve = sureness["risk_coverage"]
    risk.plot([100 * one["coverage"] for one in curve], [one["mean_km"] for one in curve], color=BLUE, marker="o")
    risk.set_xlabel("share answered, the surest first, %")
    risk.set_ylabel("mean distance, km")
    risk.set_ylim(bottom=0)
    for axes in (reliable, risk):
        plain_axes(axes)
    return png(figure)


def _with_spread(cells: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return values (N,) and how far their intervals reach below and above (2, N); 0 where there is none."""
    value = np.array([cell["value"] for cell in cells])
    low, high = (
        np.array([cell[end] if cell[end] is not None else np.nan for cell in cells]) for end in ("low", "high")
    )
    return value, np.nan_to_num(np.stack([value - low, high - value])).clip(min=0)
