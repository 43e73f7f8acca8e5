"""Where a model is good: its error by how near training ground is, and by how many people live around.

In: answers, the truth, the training places. Out: for each bin its size, mean and median distance and accuracy, beside
the best constant's. One model was 2.7 km off where its gallery covered the test streets, and 442 km where not.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geolocate.evaluation.answers import Answers
from geolocate.evaluation.assess import Bootstrap, Question, estimate, guesses_of
from geolocate.evaluation.chance import best_constant, prior
from geolocate.evaluation.intervals import draw_resamples, whole_sample
from geolocate.evaluation.metrics import Guesses, Scorer
from geolocate.geography.distances import EARTH_RADIUS_KM, nearest_km, unit_vectors
from geolocate.geography.places import real_places
from geolocate.geography.regions import Region

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Upper ends of the bins of distance to the nearest training panorama, km; the last bin has none.
NEAREST_KM = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
#: Within this distance the gazetteer's people are counted.
AROUND_KM = 5.0
#: Names of the bins of people around, with the least number of people of each.
SETTLED = {"rural": 0.0, "town": 10_000.0, "city": 100_000.0}


def people_around(region: Region, lat: Array, lon: Array) -> Array:
    """Return how many people of the gazetteer's places live within 5 km of each position.

    The gazetteer has a point and a number a place, so the edge of a large city counts as outside of it.
    """
    places = real_places(region)
    if places.empty:
        return np.zeros(len(lat))
    tree = cKDTree(unit_vectors(places["lat"].to_numpy(float), places["lon"].to_numpy(float)))
    near = tree.query_ball_point(unit_vectors(lat, lon), 2 * np.sin(AROUND_KM / EARTH_RADIUS_KM / 2))
    people = places["population"].to_numpy(float)
    return np.array([people[rows].sum() for rows in near])


def strata(
    question: Question, answers: Answers, region: Region, bootstrap: Bootstrap | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Return ``nearest_train_km`` and ``settlement``: bins with a test panorama, in order.

    Each bin has ``name, panoramas, blocks, median_km`` (the model's), and ``mean_km`` and ``accuracy`` by system
    (model, prior, best_constant), each with its interval.
    """
    truth, places = question.truth, question.places
    near = nearest_km(truth.lat, truth.lon, places.lat, places.lon)
    people = people_around(region, truth.lat, truth.lon)
    return {
        "nearest_train_km": _bins(question, answers, near, NEAREST_KM, _names(NEAREST_KM), bootstrap),
        "settlement": _bins(question, answers, people, list(SETTLED.values())[1:], list(SETTLED), bootstrap),
    }


def _names(ends: Sequence[float]) -> list[str]:
    starts = [0.0, *ends]
    return [*(f"{start:g}-{end:g} km" for start, end in zip(starts, ends, strict=False)), f"over {ends[-1]:g} km"]


def _bins(
    question: Question,
    answers: Answers,
    values: Array,
    ends: Sequence[float],
    names: Sequence[str],
    bootstrap: Bootstrap | None,
) -> list[dict[str, Any]]:
    """Cut at ``ends``: a value on an end belongs to the bin above."""
    number = np.searchsorted(np.asarray(ends), values, side="right")
    guesses = {
        "model": guesses_of(question.truth, [answers]),
        "prior": prior(question.places, question.truth),
        "best_constant": best_constant(question.places, question.truth),
    }
    return [
        {"name": name, **_bin(question, guesses, number == at, bootstrap or Bootstrap())}
        for at, name in enumerate(names)
        if (number == at).any()
    ]


def _bin(question: Question, guesses: dict[str, Guesses], kept: Flags, bootstrap: Bootstrap) -> dict[str, Any]:
    truth = question.truth.only(kept)
    scorer = Scorer(truth, question.region, question.diagonal_km)
    blocks = int(truth.blocks.max()) + 1
    drawn, once = draw_resamples(1, blocks, bootstrap.resamples, bootstrap.seed), whole_sample(1, blocks)
    level = bootstrap.level if blocks > 1 else None
    cut = {name: _guesses_of(guess, kept) for name, guess in guesses.items()}
    value = {name: scorer.means(guess, once) for name, guess in cut.items()}
    sample = {name: scorer.means(guess, drawn) for name, guess in cut.items()}
    return {
        "panoramas": int(kept.sum()),
        "blocks": blocks,
        "median_km": float(np.median(cut["model"].km)),
        **{
            metric: {name: estimate(value[name][metric], sample[name][metric], level) for name in cut}
            for metric in ("mean_km", "accuracy")
        },
    }


def _guesses_of(guesses: Guesses, kept: Flags) -> Guesses:
    return replace(guesses, km=guesses.km[:, kept], correct=guesses.correct[:, kept], top5=guesses.top5[:, kept])
