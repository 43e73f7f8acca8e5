"""Whether a system is as often right as it says, and whether it errs less where it is surer.

In: the probability that each answer gave its own class, whether it was right, how far off it was, its ground block.
Out: a reliability diagram's bins, the expected calibration error with its interval, and a risk-coverage curve.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geolocate.evaluation.intervals import LEVEL, RESAMPLES, draw_resamples, interval

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

BINS = 10
#: Shares of the panoramas that are answered, the surest first, at which the risk is told.
COVERAGES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def sureness(confidence: Array, correct: Array, km: Array, blocks: Codes, seed: int = 0) -> dict[str, Any] | None:
    """Return ``ece`` (value, low, high), ``reliability`` and ``risk_coverage``; None where confidence is not known.

    All arrays are (P,); ``blocks`` numbers the ground blocks from 0. The bins of the expected calibration error are
    equally wide (Guo and others 2017); its bootstrap draws ground blocks. It is never negative and small samples lift
    it, so it is read beside its interval.
    """
    if not np.isfinite(confidence).all():
        return None
    right = correct.astype(float)
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    held = _by_block(blocks, number, np.ones(len(right)))
    sure, hits = _by_block(blocks, number, confidence), _by_block(blocks, number, right)
    drawn = draw_resamples(1, len(held), RESAMPLES, seed).blocks
    low, high = (interval(_ece(drawn, held, sure, hits)) if len(held) > 1 else None) or (None, None)
    whole = np.ones((1, len(held)))
    return {
        "ece": {"value": float(_ece(whole, held, sure, hits)[0]), "low": low, "high": high, "level": LEVEL},
        "reliability": reliability(confidence, right),
        "risk_coverage": risk_coverage(confidence, right, km),
    }


def reliability(confidence: Array, correct: Array) -> list[dict[str, float]]:
    """Return the bins that hold an answer: ``panoramas``, mean ``confidence``, ``accuracy``."""
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "panoramas": int((number == at).sum()),
            "confidence": float(confidence[number == at].mean()),
            "accuracy": float(correct[number == at].mean()),
        }
        for at in np.unique(number)
    ]


def risk_coverage(confidence: Array, correct: Array, km: Array) -> list[dict[str, float]]:
    """Return accuracy and mean distance of the surest answers, by the share that is answered.

    A share is rounded up to whole panoramas; equally sure ones are taken in their order.
    """
    order = np.argsort(-confidence, kind="stable")
    counts = [max(1, int(np.ceil(share * len(order)))) for share in COVERAGES]
    return [
        {"coverage": share, "accuracy": float(correct[order[:n]].mean()), "mean_km": float(km[order[:n]].mean())}
        for share, n in zip(COVERAGES, counts, strict=True)
    ]


def _by_block(blocks: Codes, number: Codes, values: Array) -> Array:
    """Add values up by block and bin, (K, BINS)."""
    count = int(blocks.max()) + 1
    sums = np.bincount(blocks * BINS + number, weights=values, minlength=count * BINS)
    return np.asarray(sums, dtype=float).reshape(count, BINS)


def _ece(drawn: Array, held: Array, sure: Array, hits: Array) -> Array:
    """Return the error (B,) of resamples that drew the blocks ``drawn`` (B, K) times: |Σ sureness − Σ hits| / P."""
    return np.asarray(np.abs(drawn @ sure - drawn @ hits).sum(axis=1) / (drawn @ held).sum(axis=1))
