"""The report's tables beside the main one: levels of ground, bins of error, shortcut probes, classes, confusions.

In: a run's metrics and predictions. Out: rows of text for a page, or small tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from geolocate.evaluation.levels import LEVELS
from geolocate.reporting.tables import Cell, cell_of, metric_of

LEVEL_LABELS = {
    "model": "model, predicted position",
    "model_class": "model, most probable class",
    "uniform": "uniform",
    "prior": "prior",
    "best_constant": "best constant",
}
STRATUM_LABELS = {"model": "model", "prior": "prior", "best_constant": "best constant"}
STRATA = {
    "nearest_train_km": "distance to the nearest training panorama",
    "settlement": "people of the gazetteer within 5 km",
}
_SETTLED = {"rural": "rural, below 10,000", "town": "town, 10,000 to 100,000", "city": "city, 100,000 or more"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its name, how many panoramas it rests on, and its cells by column."""

    name: str
    panoramas: int
    cells: dict[str, Cell]
    note: str = ""


def level_rows(levels: Mapping[str, Any]) -> list[Row]:
    """Return a row for micro and macro accuracy of each level, from fine to coarse."""
    rows = []
    for level in LEVELS:
        if level not in levels:
            continue
        held = levels[level]
        for name in ("accuracy", "accuracy_macro"):
            cells = {system: cell_of(metric_of(name), held[name][system]) for system in LEVEL_LABELS}
            micro = "micro" if name == "accuracy" else "macro"
            rows.append(Row(f"{level}, {micro}", held["panoramas"], cells, f"{held['units']} units"))
    return rows


def stratum_rows(bins: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a row a bin: mean distance of model, prior and best constant; the note has the model's median."""
    return [
        Row(
            _SETTLED.get(one["name"], one["name"]),
            one["panoramas"],
            {system: cell_of(metric_of("mean_km"), one["mean_km"][system]) for system in STRATUM_LABELS},
            f"{one['median_km']:.0f}",
        )
        for one in bins
    ]


def probe_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each shortcut probe reached beside prior and best constant, and whether that is above chance."""
    probes = metrics.get("probes")
    if not probes or not probes["results"]:
        return []
    chance = probes["chance"]
    return [
        {
            "title": one["title"],
            "accuracy": Cell(f"{100 * one['accuracy']:.1f}", _bracket(one["accuracy_interval"], 100)),
            "prior": f"{100 * chance['prior']:.1f}",
            "mean_km": Cell(f"{one['mean_km']:.0f}", _bracket(one["km_interval"], 1)),
            "best_constant_km": f"{chance['best_constant_km']:.0f}",
            "verdict": "above chance" if one["above"] or one["nearer"] else "not above chance",
        }
        for one in probes["results"]
    ]


def _bracket(bounds: Sequence[float], scale: float) -> str:
    low, high = (f"{scale * bound:.1f}" for bound in bounds)
    return f"[{low}, {high}]"


def per_class(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return, by class: test panoramas, how many were right, mean and median km, and the commonest wrong answer."""
    wrong = predictions[~predictions["correct"].astype(bool)]
    mistaken = wrong.groupby("class_id")["predicted_class_name"].agg(lambda names: names.mode().iloc[0])
    table = predictions.groupby("class_id").agg(
        name=("class_name", "first"),
        panoramas=("correct", "size"),
        right=("correct", "sum"),
        mean_km=("km", "mean"),
        median_km=("km", "median"),
    )
    table["mistaken_for"] = mistaken.reindex(table.index).fillna("")
    return table.sort_values("name").reset_index(drop=True)


def per_place(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return where each class with test panoramas lies (their mean position), how many it has, its accuracy."""
    return predictions.groupby("class_id").agg(
        lat=("lat", "mean"), lon=("lon", "mean"), panoramas=("correct", "size"), accuracy=("correct", "mean")
    )


def confusions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the wrong answers by pair of classes, the commonest first: names, count, kilometres, both positions.

    A class lies where its test panoramas do, on average; a wrong answer where the answers that name it do.
    """
    wrong = predictions[~predictions["correct"].astype(bool)]
    at = ("argmax_lat", "argmax_lon") if "argmax_lat" in wrong else ("predicted_lat", "predicted_lon")
    pairs = wrong.groupby(["class_id", "predicted_class_id"], as_index=False).agg(
        true_name=("class_name", "first"),
        predicted_name=("predicted_class_name", "first"),
        count=("km", "size"),
        mean_km=("km", "mean"),
        predicted_lat=(at[0], "mean"),
        predicted_lon=(at[1], "mean"),
    )
    places = per_place(predictions)[["lat", "lon"]]
    pairs = pairs.merge(places, left_on="class_id", right_index=True)
    return pairs.sort_values(["count", "mean_km"], ascending=False, ignore_index=True)
