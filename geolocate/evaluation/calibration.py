"""Make probabilities as sure as they are right, by one temperature found on the calibration blocks.

In: posteriors of panoramas on calibration ground, and their true classes. Out: a temperature, what it changed, and
posteriors that it was applied to. A temperature never changes which class is the most probable one (Guo and others
2017).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from geolocate.evaluation.sureness import reliability

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Natural logarithms of the temperatures that are tried. A model that is right about all of a few places would ask
#: for a temperature of 0, and be as sure of the next mistake.
_LOG_TEMPERATURE = (-2.0, 5.0)
_LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class Calibration:
    """The temperature, and what it changed on the ``panoramas`` that it was found on.

    ``nll`` is the mean negative log-likelihood in nats, ``ece`` the expected calibration error; None without panoramas.
    """

    temperature: float
    panoramas: int
    nll_before: float | None = None
    nll_after: float | None = None
    ece_before: float | None = None
    ece_after: float | None = None


def scaled(posterior: Array, temperature: float) -> Array:
    """Return the posterior (P, C) at a temperature: above 1 less sure, below 1 surer; rows sum to 1."""
    logits = np.log(np.asarray(posterior, dtype=float).clip(min=_LEAST)) / temperature
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def fit_calibration(posterior: Array, classes: Codes, answered: Callable[[float], Array] | None = None) -> Calibration:
    """Find the temperature at which the true classes (P,) are the likeliest under the posterior (P, C).

    ``answered(temperature)`` is the posterior (P, C) that is answered with, where more is done to it than to scale it:
    the temperature has to make that one as sure as it is right. Rows of class -1 are left out. Without any row the
    temperature stays 1.
    """
    answer = answered or (lambda temperature: scaled(posterior, temperature))
    known = classes >= 0
    before, classes = np.asarray(posterior, dtype=float)[known], classes[known]
    if not len(classes):
        return Calibration(1.0, 0)
    temperature = fit_temperature(lambda one: answer(one)[known], classes)
    after = answer(temperature)[known]
    return Calibration(
        temperature,
        len(classes),
        log_loss(before, classes),
        log_loss(after, classes),
        class_calibration_error(before, classes),
        class_calibration_error(after, classes),
    )


def fit_temperature(posterior: Callable[[float], Array], classes: Codes) -> float:
    """Find the temperature at which the true classes (P,) are the likeliest; ``posterior(temperature)`` is (P, C)."""
    best = minimize_scalar(
        lambda logarithm: log_loss(posterior(float(np.exp(logarithm))), classes),
        bounds=_LOG_TEMPERATURE,
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(best.x))


def log_loss(posterior: Array, classes: Codes) -> float:
    """Return the mean negative log-likelihood of the classes (P,), in nats."""
    return float(-np.log(posterior[np.arange(len(classes)), classes].clip(min=_LEAST)).mean())


def class_calibration_error(posterior: Array, classes: Codes) -> float:
    """Return the expected calibration error of the most probable classes, 0 to 1."""
    named = posterior.argmax(axis=1)
    return calibration_error(np.take_along_axis(posterior, named[:, None], axis=1)[:, 0], named == classes)


def calibration_error(confidence: Array, correct: NDArray[np.bool_]) -> float:
    """Return the mean gap between sureness and accuracy over ten equally wide bins, weighted by their panoramas."""
    bins = reliability(confidence, correct.astype(float))
    return sum(one["panoramas"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / len(confidence)
