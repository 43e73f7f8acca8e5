"""Measure posteriors beside chance: from arrays to the numbers, with their intervals.

In: posteriors of one or more runs over the same test panoramas, the truth, the training places. Out: for each
metric the value and interval of every system, and the paired interval of (model − chance).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geolocate.errors import DatasetError
from geolocate.evaluation.answers import top_classes
from geolocate.evaluation.chance import CHANCES, TrainingPlaces, chances
from geolocate.evaluation.decoding import DECODERS, DEFAULT_DECODER, Positions
from geolocate.evaluation.intervals import LEVEL, RESAMPLES, draw_resamples, interval, whole_sample
from geolocate.evaluation.metrics import Guesses, Scorer, Truth
from geolocate.geography.distances import haversine_km

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Question:
    """Where the test panoramas were taken is asked, given the training places, in one region."""

    truth: Truth
    places: TrainingPlaces
    region: str
    diagonal_km: float

    def __post_init__(self) -> None:
        if not len(self.truth.lat):
            raise DatasetError("the test part has no panorama of a known class: collect more places for each class")


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How the intervals are made."""

    resamples: int = RESAMPLES
    seed: int = 0
    level: float = LEVEL


def assess(question: Question, posteriors: Sequence[Array], bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Score the posteriors (each (P, C); one a run, of the same test panoramas) beside uniform, prior, best constant.

    Returns ``metrics[metric][system] = {value, low, high}`` and ``paired[metric][chance] = {value, low, high}`` of
    model − chance. ``model`` decodes to the point of least expected distance, ``model_argmax`` to a class position;
    their accuracies are the same, by the most probable class.
    """
    bootstrap = bootstrap or Bootstrap()
    scorer = Scorer(question.truth, question.region, question.diagonal_km)
    blocks = int(question.truth.blocks.max()) + 1
    drawn = draw_resamples(len(posteriors), blocks, bootstrap.resamples, bootstrap.seed)
    once = whole_sample(len(posteriors), blocks)
    systems = systems_of(question, posteriors)
    values = {name: scorer.score(guesses, once) for name, guesses in systems.items()}
    samples = {name: scorer.score(guesses, drawn) for name, guesses in systems.items()}
    # One block cannot be resampled, and an interval of no width would claim certainty.
    level = bootstrap.level if blocks > 1 else None
    metrics = list(values["model"])
    return {
        "metrics": {
            metric: {name: estimate(values[name][metric], samples[name][metric], level) for name in systems}
            for metric in metrics
        },
        "paired": {
            metric: {
                chance: estimate(
                    values["model"][metric] - values[chance][metric],
                    samples["model"][metric] - samples[chance][metric],
                    level,
                )
                for chance in CHANCES
            }
            for metric in metrics
        },
        "intervals": {
            "level": bootstrap.level,
            "resamples": bootstrap.resamples,
            "seed": bootstrap.seed,
            "unit": "ground block" if len(posteriors) == 1 else "run and ground block",
            "blocks": blocks,
            "runs": len(posteriors),
        },
    }


def estimate(value: Array, samples: Array, level: float | None) -> dict[str, float | None]:
    """Return a value (1,) with the percentile interval of its samples (B,); without one where ``level`` is None."""
    low, high = (interval(samples, level) if level else None) or (None, None)
    return {"value": float(value[0]), "low": low, "high": high}


def systems_of(question: Question, posteriors: Sequence[Array]) -> dict[str, Guesses]:
    """Return the guesses of the model, by both decoders, and of the three chances, by name."""
    by_name = {"model": DEFAULT_DECODER, "model_argmax": "argmax"}
    models = {name: _guesses(question, posteriors, decoder) for name, decoder in by_name.items()}
    return {**models, **chances(question.places, question.truth)}


def decode(question: Question, posterior: Array, decoder: str) -> Positions:
    """Return the positions (P,), (P,) that a decoder of ``DECODERS`` makes of a posterior."""
    return DECODERS[decoder](posterior, question.places.class_lat, question.places.class_lon)


def _guesses(question: Question, posteriors: Sequence[Array], decoder: str) -> Guesses:
    truth = question.truth
    km, correct, top5 = [], [], []
    for posterior in posteriors:
        lat, lon = decode(question, posterior, decoder)
        best = top_classes(posterior)
        km.append(haversine_km(truth.lat, truth.lon, lat, lon))
        correct.append(best[:, 0] == truth.class_index)
        top5.append((best == truth.class_index[:, None]).any(axis=1))
    return Guesses(np.stack(km), np.stack(correct), np.stack(top5).astype(float))
