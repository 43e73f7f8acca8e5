"""How often the right cell, city, admin unit and country are named, whatever a model's own classes are.

In: answers, and the true positions. Out: for each level micro and macro accuracy with intervals, beside chance. True
and predicted positions are assigned to units by the same rule; a class counts by the unit that it lies in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolocate.evaluation.answers import Answers
from geolocate.evaluation.assess import Bootstrap, Question, estimate
from geolocate.evaluation.chance import CHANCES, best_constant_position, most_frequent
from geolocate.evaluation.intervals import draw_resamples, whole_sample
from geolocate.evaluation.metrics import Guesses, Scorer, Truth
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cities import cities_of
from geolocate.geography.grids import cell_ids
from geolocate.geography.regions import Region

Array = NDArray[np.float64]
Units = NDArray[np.object_]

LEVELS = ("cell", "city", "admin1", "country")
#: Who is scored at a level: the predicted position, the most probable class, and chance.
LEVEL_SYSTEMS = ("model", "model_class", *CHANCES)


@dataclass(frozen=True)
class Ground:
    """What positions are assigned to, and what the C classes of the dataset are (``level``, ``class_ids``)."""

    region: Region
    top: int
    cell_km: float
    level: str
    class_ids: NDArray[np.str_]


def units_at(ground: Ground, lat: Array, lon: Array) -> pd.DataFrame:
    """Return the unit of each position at each of ``LEVELS``; "" where there is none, such as at sea."""
    region = ground.region
    units = pd.DataFrame("", index=range(len(lat)), columns=list(LEVELS), dtype=object)
    inside = np.flatnonzero(boundary_of(region).contains(lat, lon))
    if not len(inside):
        return units
    at = lat[inside], lon[inside]
    admin = boundary_of(region).admin(*at).fillna("")
    units.iloc[inside, :] = np.column_stack(
        [
            cell_ids(region, ground.cell_km, *at),
            np.asarray(cities_of(region, ground.top).owners(*at), dtype=object),
            admin["admin1"].to_numpy(object),
            admin["country"].to_numpy(object),
        ]
    )
    return units


def level_metrics(
    question: Question, answers: Answers, ground: Ground, bootstrap: Bootstrap | None = None
) -> dict[str, Any]:
    """Return for each level ``panoramas, units, accuracy[system], accuracy_macro[system]``, and ``paired``.

    ``model`` is the predicted position, ``model_class`` the most probable class. ``paired[metric][chance]`` is of
    model − chance. Panoramas that lie in no unit of a level do not count there; a level without any is left out.
    """
    true = units_at(ground, question.truth.lat, question.truth.lon)
    guessed = _guessed_units(question, answers, ground)
    levels = {}
    for level in LEVELS:
        units = true[level].to_numpy(object)
        kept = units != ""
        if kept.any():
            codes = np.asarray(pd.factorize(units)[0], dtype=np.intp)
            truth = question.truth.only(kept, codes)
            right = {name: _right(table, level, units)[:, kept] for name, table in guessed.items()}
            levels[level] = _scores(truth, right, bootstrap or Bootstrap(), question)
    return levels


def _guessed_units(question: Question, answers: Answers, ground: Ground) -> dict[str, Callable[[str], Units]]:
    """For each system a function from a level to the units that it names, (A, P) or (A, 1)."""
    places = question.places
    at_position = units_at(ground, answers.lat, answers.lon)
    of_class = units_at(ground, places.class_lat, places.class_lon)
    of_class[ground.level] = ground.class_ids.astype(object)
    lat, lon = best_constant_position(places)
    at_constant = units_at(ground, np.array([lat]), np.array([lon]))
    known = answers.class_index >= 0

    def named(level: str) -> Units:
        return np.where(known, of_class[level].to_numpy(object)[answers.class_index], "")[None]

    return {
        "model": lambda level: at_position[level].to_numpy(object)[None],
        "model_class": named,
        "uniform": lambda level: of_class[level].to_numpy(object)[:, None],
        "prior": lambda level: of_class[level].to_numpy(object)[most_frequent(places)[:1]][None],
        "best_constant": lambda level: at_constant[level].to_numpy(object)[None],
    }


def _right(named: Callable[[str], Units], level: str, true: Units) -> NDArray[np.bool_]:
    return np.asarray(named(level) == true[None], dtype=bool)


def _scores(
    truth: Truth, right: dict[str, NDArray[np.bool_]], bootstrap: Bootstrap, question: Question
) -> dict[str, Any]:
    scorer = Scorer(truth, question.region, question.diagonal_km)
    blocks = int(truth.blocks.max()) + 1
    drawn, once = draw_resamples(1, blocks, bootstrap.resamples, bootstrap.seed), whole_sample(1, blocks)
    level = bootstrap.level if blocks > 1 else None
    values, samples = {}, {}
    for name, correct in right.items():
        # Distances do not matter here.
        guesses = Guesses(np.zeros(correct.shape), correct, correct.astype(float), ways="expectation")
        values[name], samples[name] = scorer.accuracies(guesses, once), scorer.accuracies(guesses, drawn)
    metrics = list(values["model"])
    return {
        "panoramas": len(truth.lat),
        "units": len(np.unique(truth.class_index)),
        **{
            metric: {name: estimate(values[name][metric], samples[name][metric], level) for name in right}
            for metric in metrics
        },
        "paired": {
            metric: {
                name: estimate(
                    values["model"][metric] - values[name][metric],
                    samples["model"][metric] - samples[name][metric],
                    level,
                )
                for name in CHANCES
            }
            for metric in metrics
        },
    }
