"""Score guesses: one function gives every metric, for the sample and for each bootstrap resample of it.

In: for each test panorama the distance in km from the guess to the panorama's own position, and whether the class
was right. Out: each metric by name. A panorama is the unit; its views were fused before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geolocate.evaluation.intervals import Resamples

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.intp]

THRESHOLDS_KM = (1, 5, 10, 25, 50, 100, 200, 750, 2500)
#: The scale of the world's GeoScore: 14,916.862 km / 10.
WORLD_SCALE_KM = 1492.7
PERFECT_SCORE = 5000.0

# Medians of resamples are read off at most this many steps of the pooled distances.
_MEDIAN_STEPS = 2048


@dataclass(frozen=True, slots=True)
class Truth:
    """Where the P test panoramas really are: own positions in degrees, class index (-1: no such class), block.

    ``weight`` is the ground that each stands for, in any unit; None counts all alike.
    """

    lat: Array
    lon: Array
    class_index: Codes
    block_id: NDArray[np.str_]
    weight: Array | None = None

    @property
    def blocks(self) -> Codes:
        """The blocks as numbers 0 … K-1, one a panorama."""
        return np.unique(self.block_id, return_inverse=True)[1]

    def only(self, kept: Flags, class_index: Codes | None = None) -> "Truth":
        """Return the truth about the panoramas that are marked (P,), with other classes where some are given (P,)."""
        classes = self.class_index if class_index is None else class_index
        weight = None if self.weight is None else self.weight[kept]
        return Truth(self.lat[kept], self.lon[kept], classes[kept], self.block_id[kept], weight)

    @property
    def weights(self) -> Array:
        """One weight a panorama."""
        return np.ones(len(self.lat)) if self.weight is None else self.weight

    @property
    def effective(self) -> float:
        """How many panoramas of equal weight would tell as much (Kish): the sum's square by the sum of squares."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())


@dataclass(frozen=True, slots=True)
class Guesses:
    """What somebody guessed for P panoramas, in A ways: arrays (A, P).

    ``ways="runs"``: the ways are repeated runs, which the bootstrap resamples. ``ways="expectation"``: they are all
    the answers of a random guesser, each as likely, and are averaged. ``top5`` may be fractional, as a chance.
    """

    km: Array
    correct: Flags
    top5: Array
    ways: Literal["runs", "expectation"] = "runs"


def geoscore(km: Array) -> Array:
    """Return the world's GeoScore: 5000·exp(−km / 1492.7), not rounded; 5000 on the spot, less the farther off."""
    return PERFECT_SCORE * np.exp(-np.asarray(km) / WORLD_SCALE_KM)


def region_geoscore(km: Array, diagonal_km: float) -> Array:
    """Return the region's own score: 5000·exp(−10·km / D), with D fixed in the region's file.

    The world's scale saturates within one country. Scores of different regions are not comparable.
    """
    return PERFECT_SCORE * np.exp(-10.0 * np.asarray(km) / diagonal_km)


def metric_names(region: str) -> tuple[str, ...]:
    """Return the metrics' names in the order in which tables show them."""
    within = tuple(f"within_{km}_km" for km in THRESHOLDS_KM)
    return (
        "accuracy",
        "accuracy_macro",
        "accuracy_top5",
        "mean_km",
        "median_km",
        *within,
        "geoscore",
        f"geoscore_{region}",
    )


@dataclass(frozen=True, slots=True)
class Scorer:
    """Everything that stays the same while different guesses at the same panoramas are scored."""

    truth: Truth
    region: str
    diagonal_km: float

    def score(self, guesses: Guesses, resamples: Resamples) -> dict[str, Array]:
        """Return each metric as (B,) values, one a resample; shares lie in 0 … 1."""
        draws = resamples if guesses.ways == "runs" else resamples.for_expectation(1)
        scores = self.means(guesses, resamples)
        scores["accuracy_macro"] = self._macro(guesses, draws)
        scores["median_km"] = self._medians(guesses, draws)
        return {name: scores[name] for name in metric_names(self.region)}

    def accuracies(self, guesses: Guesses, resamples: Resamples) -> dict[str, Array]:
        """Return micro and macro accuracy (B,), one a resample."""
        draws = resamples if guesses.ways == "runs" else resamples.for_expectation(1)
        right = _collapsed(guesses.correct.astype(float), guesses)
        micro = _weighted_mean(right[:, :, None], self.truth, draws)[:, 0]
        return {"accuracy": micro, "accuracy_macro": self._macro(guesses, draws)}

    def means(self, guesses: Guesses, resamples: Resamples) -> dict[str, Array]:
        """Return the metrics that are means over panoramas, (B,) each: all but macro accuracy and the median."""
        draws = resamples if guesses.ways == "runs" else resamples.for_expectation(1)
        per_panorama: dict[str, Callable[[], Array]] = {
            "accuracy": lambda: guesses.correct.astype(float),
            "accuracy_top5": lambda: guesses.top5,
            "mean_km": lambda: guesses.km,
            "geoscore": lambda: geoscore(guesses.km),
            f"geoscore_{self.region}": lambda: region_geoscore(guesses.km, self.diagonal_km),
        }
        values = [_collapsed(value(), guesses) for value in per_panorama.values()]
        values += [_collapsed((guesses.km <= km).astype(float), guesses) for km in THRESHOLDS_KM]
        means = _weighted_mean(np.stack(values, axis=2), self.truth, draws)
        names = [*per_panorama, *(f"within_{km}_km" for km in THRESHOLDS_KM)]
        return dict(zip(names, means.T, strict=True))

    def _macro(self, guesses: Guesses, draws: Resamples) -> Array:
        """Mean over classes of each class's accuracy, as a weighted mean over panoramas.

        The classes' weights are those of the whole sample, so that a class that a resample misses is missed evenly by
        hits and by count, and the interval stays around the estimate.
        """
        _, column = np.unique(self.truth.class_index, return_inverse=True)
        held = np.bincount(column, weights=self.truth.weights)
        weight = self.truth.weights / (len(held) * held[column])
        right = _collapsed(guesses.correct.astype(float), guesses) * weight
        hits = _weighted_sum(right[:, :, None], self.truth.blocks, draws)
        whole = _weighted_sum(np.broadcast_to(weight, right.shape)[:, :, None], self.truth.blocks, draws)
        return np.asarray((hits / whole)[:, 0])

    def _medians(self, guesses: Guesses, draws: Resamples) -> Array:
        steps = _steps(guesses.km)
        step_of = np.searchsorted(steps, guesses.km).clip(max=len(steps) - 1)
        # A random guesser's answers are pooled; runs stay apart, to be drawn.
        pooled = step_of if guesses.ways == "runs" else step_of.reshape(1, -1)
        blocks = np.tile(self.truth.blocks, pooled.shape[1] // len(self.truth.lat))
        weights = np.tile(self.truth.weights, pooled.shape[1] // len(self.truth.lat))
        counts = np.stack([_histogram(blocks, of_run, len(steps), weights) for of_run in pooled])
        held = _drawn(counts.cumsum(axis=2), draws)
        share = held / held[:, -1:]
        # As numpy does for an even count: halfway between the lower and the upper median.
        lower = steps[(share < 0.5 - 1e-12).sum(axis=1).clip(max=len(steps) - 1)]
        upper = steps[(share < 0.5 + 1e-12).sum(axis=1).clip(max=len(steps) - 1)]
        return np.asarray((lower + upper) / 2)


def _collapsed(values: Array, guesses: Guesses) -> Array:
    """Average over the ways of a random guesser, and leave runs apart: (A, P) to (1, P) or itself."""
    return values if guesses.ways == "runs" else values.mean(axis=0, keepdims=True)


def _steps(km: Array) -> Array:
    distinct = np.unique(km)
    if len(distinct) <= _MEDIAN_STEPS:
        return distinct
    spread = np.quantile(km, np.linspace(0.0, 1.0, _MEDIAN_STEPS), method="inverted_cdf")
    return np.unique(np.append(spread, np.median(km)))


def _weighted_mean(values: Array, truth: Truth, draws: Resamples) -> Array:
    """Return means (B, M) of values (A, P, M), by the panoramas' weights."""
    weights = np.broadcast_to(truth.weights[None, :, None], (*values.shape[:2], 1))
    return np.asarray(
        _weighted_sum(values * weights, truth.blocks, draws) / _weighted_sum(weights, truth.blocks, draws)
    )


def _weighted_sum(values: Array, blocks: Codes, draws: Resamples) -> Array:
    """Return sums (B, M) of values (A, P, M), each panorama counted as often as its run and block were drawn."""
    by_block = np.zeros((len(values), draws.blocks.shape[1], values.shape[2]))
    for of_run, sums in zip(values, by_block, strict=True):
        np.add.at(sums, blocks, of_run)
    return _drawn(by_block, draws)


def _drawn(by_block: Array, draws: Resamples) -> Array:
    """Return totals (B, M) of sums by run and block (A, K, M)."""
    totals = np.zeros((len(draws.blocks), by_block.shape[2]))
    for run, sums in enumerate(by_block):
        totals += draws.runs[:, run, None] * (draws.blocks @ sums)
    return totals


def _histogram(blocks: Codes, step_of: Codes, steps: int, weights: Array) -> Array:
    """Add up the panoramas' weights (K, G) by block and step."""
    count = int(blocks.max()) + 1
    held = np.bincount(blocks * steps + step_of, weights=weights, minlength=count * steps)
    return np.asarray(held, dtype=float).reshape(count, steps)
