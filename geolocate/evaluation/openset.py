"""Tell pictures that belong to the region from those that do not: elsewhere, indoors, no street at all.

In: a score of each picture, the higher the surer that it belongs. Out: the score below which an answer is refused, how
well the score tells the two apart, and what is won by answering only the surest.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

Array = NDArray[np.float64]

#: One genuine photograph in twenty is refused, by the calibration blocks' measure.
REFUSED_SHARE = 0.05
#: So many blocks at least have to lie below a limit that is read off them.
_ENOUGH = 5


def neighbour_score(similarity: Array) -> Array:
    """Return the similarity (P,) of the farthest of each place's K nearest training places, from ``(P, K)``.

    By Sun and others (2022, arXiv 2204.06507), whose measure is the distance to the k-th neighbour; the highest of all
    would be fooled by one odd training picture.
    """
    return np.asarray(similarity.min(axis=1))


def energy_score(logits: Array) -> Array:
    """Return the negative free energy (P,) of logits (P, C) (Liu and others 2020)."""
    return np.asarray(logsumexp(logits, axis=1))


def max_logit_score(logits: Array) -> Array:
    """Return the highest logit (P,) of ``(P, C)`` (Hendrycks and others 2022)."""
    return np.asarray(logits.max(axis=1))


def refusal_threshold(scores: Array, blocks: NDArray[Any], share: float = REFUSED_SHARE) -> float:
    """Return the score below which about ``share`` of genuine places fall, each block counting alike.

    ``scores`` (N,) and ``blocks`` (N,) are of calibration places. With few blocks the limit is that of a normal
    distribution with their mean and spread: the lowest twentieth of twenty places is one place, which may be anything.
    With fewer than two blocks it is minus infinity: nothing is refused.
    """
    _, number, size = np.unique(blocks, return_inverse=True, return_counts=True)
    if len(size) < 2:
        return float("-inf")
    weights = 1.0 / (len(size) * size[number])
    if len(size) * share < _ENOUGH:
        mean = float(weights @ scores)
        spread = np.sqrt(weights @ (scores - mean) ** 2 * len(size) / (len(size) - 1))
        return mean + float(norm.ppf(share) * spread)
    order = np.argsort(scores, kind="stable")
    # What is refused lies strictly below: the first place that may not be refused sets the limit.
    return float(scores[order[int(np.searchsorted(np.cumsum(weights[order]), share + 1e-12, side="right"))]])


def auroc(inside: Array, outside: Array) -> float:
    """Return how probably a place of the region scores higher than an outsider; 0.5 is chance, ties count half."""
    truth = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    return float(roc_auc_score(truth, np.concatenate([inside, outside])))


def risk_coverage_curve(score: Array, risk: Array) -> tuple[Array, Array]:
    """Return coverage (P,) and the mean risk (P,) of answering the surest 1, 2, … P places.

    ``risk`` (P,) is what an answer costs: kilometres, or 1 for a wrong class. Equally sure places are answered
    together, at their mean risk, so that their order does not matter.
    """
    _, group = np.unique(-score, return_inverse=True)
    mean = np.bincount(group, weights=risk) / np.bincount(group)
    taken = np.sort(group, kind="stable")
    count = np.arange(1, len(score) + 1)
    return count / len(score), np.cumsum(mean[taken]) / count


def risk_coverage_area(score: Array, risk: Array) -> float:
    """Return the mean of the risk-coverage curve (AURC, Geifman and others 2019): less is better."""
    return float(risk_coverage_curve(score, risk)[1].mean())
