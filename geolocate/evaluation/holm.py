"""Several comparisons at once: p-values of bootstrapped differences, and Holm's correction.

In: for each comparison the bootstrap values of its difference. Out: its p-value before and after the correction, and
the interval that the correction leaves it. Among twenty comparisons of equal recipes one would else be "significant".
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geolocate.evaluation.intervals import interval

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Corrected:
    """One comparison among several: ``p`` on its own, ``p_holm`` after Holm, and the interval at Holm's level.

    ``low, high`` exclude 0 at the family's level only if Holm rejects this comparison; None where nothing can be told.
    """

    p: float
    p_holm: float
    low: float | None
    high: float | None
    rejected: bool


def bootstrap_p(samples: Array) -> float:
    """Return the two-sided p-value of "no difference": twice the smaller share of bootstrap values beyond 0.

    Never 0: with B resamples nothing smaller than 2 / (B + 1) can be told (Davison and Hinkley 1997, 4.2.1).
    """
    finite = samples[np.isfinite(samples)]
    beyond = min(int((finite <= 0).sum()), int((finite >= 0).sum()))
    return min(1.0, 2.0 * (beyond + 1) / (len(finite) + 1))


def holm(p_values: Array) -> Array:
    """Return Holm's adjusted p-values: the family's error is kept whatever the dependence (Holm 1979)."""
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return adjusted


def corrected(samples: Mapping[str, Array], level: float) -> dict[str, Corrected]:
    """Correct the comparisons of one family (by name: bootstrap values of the difference), at ``level`` such as 0.95.

    The k-th smallest p-value of m gets the interval of level 1 − (1 − level) / (m − k + 1). Once a comparison is not
    rejected, those with larger p-values keep its level.
    """
    names = list(samples)
    p_values = np.array([bootstrap_p(samples[name]) for name in names])
    adjusted = holm(p_values)
    alpha, result, share = 1 - level, {}, len(names)
    for at in np.argsort(p_values, kind="stable"):
        low, high = interval(samples[names[at]], 1 - alpha / share) or (None, None)
        rejected = bool(adjusted[at] <= alpha)
        result[names[at]] = Corrected(float(p_values[at]), float(adjusted[at]), low, high, rejected)
        share -= rejected
    return {name: result[name] for name in names}
