"""Sets that hold the truth as often as promised, and whether they kept their promise.

In: scores of calibration places (the smaller, the better the model foresaw the truth) with their ground blocks. Out:
the score up to which a set has to reach, sets of classes, and the band in which the share of covered test places must
lie if the method is sound.

Places of one block share streets, weather and light, so they are not exchangeable with those of another; blocks are.
The threshold is that of hierarchical conformal prediction (Lee, Barber and Willett, arXiv 2306.06342): each of the K
calibration blocks weighs 1 / (K + 1), shared among its places, and so does the block that is asked about, at infinity.
A place of a new block is then covered with at least the promised probability.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Flags = NDArray[np.bool_]

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Sound:
    """Where the share of covered test places lies in 95 of 100 tries of a sound method; ``covered`` is what it was.

    ``calibration_n`` and ``test_n`` are effective numbers of places; ``kept`` says whether the promise was kept.
    """

    level: float
    covered: float
    low: float
    high: float
    calibration_n: float
    test_n: float

    @property
    def kept(self) -> bool:
        """Whether the share lies within the band."""
        return self.low <= self.covered <= self.high

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        names = ("level", "covered", "low", "high", "calibration_n", "test_n", "kept")
        return {name: getattr(self, name) for name in names}


def block_quantile(scores: Array, blocks: NDArray[Any], level: float) -> float:
    """Return the score up to which a set must reach to hold a place of a new block with probability ``level``.

    ``scores`` (N,) and their ``blocks`` (N,). Infinite where there are too few blocks to promise as much: 9 are needed
    for 90 %. With one place a block it is the usual split-conformal quantile.
    """
    if not len(scores):
        return float("inf")
    _, number, size = np.unique(blocks, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    held = np.cumsum(1.0 / ((len(size) + 1) * size[number[order]]))
    reached = np.flatnonzero(held >= level - _ROUNDING)
    return float(scores[order[reached[0]]]) if len(reached) else float("inf")


def class_scores(posterior: Array, classes: Codes, sizes: Array | None = None) -> Array:
    """Return for each place (P,) the probability of all classes that are at least as probable as the true one.

    ``posterior`` is (P, C). With ``sizes`` (C,), such as km², it is the probability per size that ranks them. A place
    of no known class (-1) scores infinitely: no set of classes holds it.
    """
    rank = posterior if sizes is None else posterior / sizes
    own = np.take_along_axis(rank, classes.clip(min=0)[:, None], axis=1)
    held = np.where(rank >= own, posterior, 0.0).sum(axis=1) / posterior.sum(axis=1)
    return np.asarray(np.where(classes >= 0, held, np.inf))


def class_sets(posterior: Array, threshold: float, sizes: Array | None = None) -> Flags:
    """Say of each class whether it is in the set of each place, (P, C): all whose score is within the threshold.

    The first in rank always is, so that no set is empty; that only ever covers more.
    """
    rank = posterior if sizes is None else posterior / sizes
    order = np.argsort(-rank, axis=1, kind="stable")
    held = np.take_along_axis(posterior, order, axis=1).cumsum(axis=1) / posterior.sum(axis=1, keepdims=True)
    ranked = np.take_along_axis(rank, order, axis=1)
    # Classes of equal rank share the score of the last of them.
    last = np.stack([np.searchsorted(-row, -row, side="right") - 1 for row in ranked]) if len(ranked) else order
    within = np.take_along_axis(held, last, axis=1) <= threshold + _ROUNDING
    within[:, :1] = True
    sets = np.zeros(posterior.shape, dtype=bool)
    np.put_along_axis(sets, order, within, axis=1)
    return sets


def effective_n(values: Array, blocks: NDArray[Any]) -> float:
    """Return as how many independent places N places in blocks count, by Kish's design effect.

    Between the number of blocks, where places of one block are all alike in ``values`` (N,), and N, where they are no
    more alike than others: N / (1 + (b - 1) r), with b the mean size of a place's block and r the intraclass
    correlation, by analysis of variance and not below 0.
    """
    count = len(values)
    _, number, size = np.unique(blocks, return_inverse=True, return_counts=True)
    mean_size = float((size**2).sum() / count) if count else 1.0
    if mean_size == 1.0 or len(size) < 2:
        return float(len(size) if mean_size > 1.0 else count)
    means = np.bincount(number, weights=values) / size
    between = float((size * (means - values.mean()) ** 2).sum()) / (len(size) - 1)
    within = float(((values - means[number]) ** 2).sum()) / (count - len(size))
    usual = (count - mean_size) / (len(size) - 1)
    total = between + (usual - 1) * within
    correlation = min(max((between - within) / total, 0.0), 1.0) if total > 0 else 0.0
    return count / (1 + (mean_size - 1) * correlation)


def coverage_band(calibration_n: float, test_n: float, level: float, probability: float = 0.95) -> tuple[float, float]:
    """Return the shares of covered test places between which a sound method lands with this ``probability``.

    With n calibration and m test places that are exchangeable, the number of covered ones is beta-binomial:
    BetaBin(m, k, n + 1 - k) with k = ceil((n + 1) level).
    """
    n, m = max(1, round(calibration_n)), max(1, round(test_n))
    # Of (0.9, 9) it must be 9 and not 10.
    k = min(int(np.ceil((n + 1) * level - 1e-9)), n + 1)
    if k > n:  # an infinite threshold covers everything
        return 1.0, 1.0
    low, high = betabinom.ppf([(1 - probability) / 2, (1 + probability) / 2], m, k, n + 1 - k)
    return float(low) / m, float(high) / m


def covered_n(scores: Array, blocks: NDArray[Any], threshold: float) -> float:
    """Return the effective number of places, by how alike those of a block are in being covered."""
    return effective_n((scores <= threshold + _ROUNDING).astype(float), blocks) if len(scores) else 0.0


def judge(scores: Array, blocks: NDArray[Any], threshold: float, level: float, calibration_n: float) -> Sound:
    """Judge sets that were made with ``threshold``, by the scores and blocks (N,) of test places.

    Blocks count alike, as the promise is about a place of a new block. ``calibration_n`` is the effective number of
    the places that the threshold was found on.
    """
    covered = (scores <= threshold + _ROUNDING).astype(float)
    _, number, size = np.unique(blocks, return_inverse=True, return_counts=True)
    share = float((np.bincount(number, weights=covered) / size).mean())
    test_n = covered_n(scores, blocks, threshold)
    return Sound(level, share, *coverage_band(calibration_n, test_n, level), calibration_n, test_n)
