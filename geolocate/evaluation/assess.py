"""Measure answers beside chance: from arrays to the numbers, with their intervals.

In: answers of one or more runs about the same test panoramas, the truth, the training places. Out: for each
metric the value and interval of every system, and the paired interval of (model − chance).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geolocate.errors import DatasetError
from geolocate.evaluation.answers import Answers, answers_from_posterior
from geolocate.evaluation.chance import CHANCES, TrainingPlaces, chances
from geolocate.evaluation.decoding import DEFAULT_DECODER
from geolocate.evaluation.intervals import LEVEL, RESAMPLES, draw_resamples, interval, whole_sample
from geolocate.evaluation.metrics import Guesses, Scorer, Truth
from geolocate.geography.distances import haversine_km

Array = NDArray[np.float64]


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

    ``model`` decodes to the point of least expected distance, ``model_argmax`` to a class position; their accuracies
    are the same, by the most probable class. The rest is as ``assess_answers`` says.
    """
    return assess_answers(question, answers_by_decoder(question, posteriors), bootstrap)


def assess_answers(
    question: Question, systems: Mapping[str, Sequence[Answers]], bootstrap: Bootstrap | None = None
) -> dict[str, Any]:
    """Score answers (one a run, about the question's panoramas in their order) beside the three kinds of chance.

    ``systems`` has ``model``, and may have others, each with as many runs. Returns ``metrics[metric][system] =
    {value, low, high}`` and ``paired[metric][chance] = {value, low, high}`` of model − chance.
    """
    bootstrap = bootstrap or Bootstrap()
    scorer = Scorer(question.truth, question.region, question.diagonal_km)
    blocks, runs = int(question.truth.blocks.max()) + 1, len(systems["model"])
    drawn = draw_resamples(runs, blocks, bootstrap.resamples, bootstrap.seed)
    once = whole_sample(runs, blocks)
    guesses = {name: guesses_of(question.truth, answers) for name, answers in systems.items()}
    guesses |= chances(question.places, question.truth)
    values = {name: scorer.score(guess, once) for name, guess in guesses.items()}
    samples = {name: scorer.score(guess, drawn) for name, guess in guesses.items()}
    # One block cannot be resampled, and an interval of no width would claim certainty.
    level = bootstrap.level if blocks > 1 else None
    metrics = list(values["model"])
    return {
        "metrics": {
            metric: {name: estimate(values[name][metric], samples[name][metric], level) for name in guesses}
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
            "unit": "ground block" if runs == 1 else "run and ground block",
            "blocks": blocks,
            "runs": runs,
        },
    }


def estimate(value: Array, samples: Array, level: float | None) -> dict[str, float | None]:
    """Return a value (1,) with the percentile interval of its samples (B,); without one where ``level`` is None."""
    low, high = (interval(samples, level) if level else None) or (None, None)
    return {"value": float(value[0]), "low": low, "high": high}


def systems_of(question: Question, posteriors: Sequence[Array]) -> dict[str, Guesses]:
    """Return the guesses of the model, by both decoders, and of the three chances, by name."""
    decoded = answers_by_decoder(question, posteriors)
    models = {name: guesses_of(question.truth, answers) for name, answers in decoded.items()}
    return {**models, **chances(question.places, question.truth)}


def answers_by_decoder(question: Question, posteriors: Sequence[Array]) -> dict[str, list[Answers]]:
    """Return what posteriors (each (P, C)) answer by the usual decoder and by argmax; panoramas are numbered."""
    ids = np.arange(len(question.truth.lat)).astype(str)
    at = question.places.class_lat, question.places.class_lon
    return {
        name: [answers_from_posterior(name, ids, posterior, *at, decoder=decoder) for posterior in posteriors]
        for name, decoder in (("model", DEFAULT_DECODER), ("model_argmax", "argmax"))
    }


def guesses_of(truth: Truth, answers: Sequence[Answers]) -> Guesses:
    """Return how far off the answers are and whether their class is right, one way a run.

    Distances go to the panorama's own position. Without five classes the one that was named stands for them.
    """
    km, correct, top5 = [], [], []
    for one in answers:
        known = truth.class_index >= 0
        named = one.class_index[:, None] if one.top5 is None else one.top5
        km.append(haversine_km(truth.lat, truth.lon, one.lat, one.lon))
        correct.append(known & (one.class_index == truth.class_index))
        top5.append(known & (named == truth.class_index[:, None]).any(axis=1))
    return Guesses(np.stack(km), np.stack(correct), np.stack(top5).astype(float))
