"""Whether a run kept what its answers promise: sets of classes, search areas, and which pictures it refuses.

In: ``answering`` of a run's metrics. Out: rows and sentences for the report, and a figure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from geolocate.reporting.figures import BLUE, ORANGE, plain_axes, png

_KINDS = {"conformal": "set of classes", "search_area": "search area"}


@dataclass(frozen=True, slots=True)
class Promise:
    """One row: what was promised of which sets, how often they held the truth, and how large they are."""

    name: str
    promised: str
    held: str
    band: str
    verdict: str
    classes: str
    km2: str


def promise_rows(answering: Mapping[str, Any]) -> list[Promise]:
    """Return a row for each share of the sets of classes and of the search areas."""
    return [_promise(title, one) for kind, title in _KINDS.items() for one in answering[kind]]


def _promise(title: str, one: Mapping[str, Any]) -> Promise:
    return Promise(
        title,
        f"{100 * one['level']:.0f} %",
        f"{100 * one['covered']:.1f} %",
        f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %" if one["promised"] else "none",
        _verdict(one),
        f"{one['mean_classes']:.1f}" if "mean_classes" in one else "",
        f"{one['median_km2']:,.0f}",
    )


def _verdict(one: Mapping[str, Any]) -> str:
    if not one["promised"]:
        return "not promised: too few calibration blocks"
    if one["kept"]:
        return "kept"
    return "broken: too small" if one["covered"] < one["low"] else "broken: larger than need be"


def refusal_lines(answering: Mapping[str, Any]) -> list[str]:
    """Say how many genuine test panoramas are refused, by what, and how well sureness ranks the errors."""
    refusal = answering["refusal"]
    if not refusal["refuse_below"]:
        return ["This run refuses nothing: its calibration ground has too few blocks to find a limit."]
    risk = refusal["risk_coverage_area_km"]
    return [
        f"{100 * refusal['refused']:.1f} % of the test panoramas, which all belong to the region, would be refused; "
        f"the limit aims at 5 %. The score is the {refusal['score']}.",
        f"If only the surest were answered, over all shares the mean distance would be {risk['probability']:.0f} km by "
        f"probability and {risk['likeness']:.0f} km by the score of refusal; in no order it is "
        f"{refusal['mean_km']:.0f} km.",
    ]


def recall_figure(answering: Mapping[str, Any]) -> bytes:
    """Draw which share of the test panoramas is found by how many km² are searched, the likeliest ground first."""
    figure = Figure(figsize=(6.4, 3.4))
    axes = figure.add_subplot()
    found = answering["recall_by_area"]
    axes.plot([one["km2"] for one in found], [100 * one["recall"] for one in found], color=BLUE, marker="o")
    whole = found[-1]["km2"]
    shares = [one["km2"] / whole * 100 for one in found]
    axes.plot([one["km2"] for one in found], shares, color=ORANGE, linestyle="--", label="ground in no order")
    axes.set_xscale("log")
    axes.set_xlabel("searched, km²")
    axes.set_ylabel("found, %")
    axes.set_ylim(0, 103)
    axes.legend(fontsize=8)
    plain_axes(axes)
    axes.xaxis.set_major_locator(LogLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda km2, _: f"{km2:,.0f}"))
    return png(figure)
