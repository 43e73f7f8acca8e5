"""Shortcut probes: how well the class is told by what does not show the place.

In: the rows of a dataset version and what was measured of their pictures. Out: for each probe its accuracy and mean
distance on the test ground beside chance. A probe that beats chance is a way for a model to be right for the wrong
reason, and stands in the card beside the results that it may explain.

Each probe is a forest of random trees (fixed seed) on few numbers of each training picture; the views of a test
panorama vote by their mean probabilities.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolocate.dataset.measures import TABLES, THUMB, thumbnails
from geolocate.geography.distances import geometric_median, haversine_km
from geolocate.manifest.panoramas import one_a_panorama

Array = NDArray[np.float64]

_TREES = 40
_LEAF = 3
_SEED = 0
#: More pictures than this take long and tell little more: a probe looks for what is plain.
LARGEST = 6000
_RESAMPLES = 2000
_LEVEL = 0.95
# Fewer blocks of test ground than this have no interval worth the name.
_LEAST_BLOCKS = 5
_FIFTH = THUMB // 5
# A creator or attribution beyond the most frequent ones is one of "others".
_NAMES = 30


@dataclass(frozen=True, slots=True)
class Chance:
    """What is to be beaten: values on the same test panoramas, accuracies as shares, distances in km."""

    uniform: float
    prior: float
    best_constant_km: float


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe on the test ground.

    ``above`` says that its accuracy is above the prior's and above uniform by more than the blocks' spread (95 %),
    ``nearer`` that its mean distance is so below the best constant's. Of five probes one in eight is so by luck.
    """

    name: str
    title: str
    accuracy: float
    accuracy_interval: tuple[float, float]
    mean_km: float
    km_interval: tuple[float, float]
    above: bool
    nearer: bool


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """All probes of a version; without ``results`` where they could not be judged, and ``reason`` says why."""

    results: tuple[ProbeResult, ...]
    chance: Chance | None
    panoramas: int
    blocks: int
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give what the card keeps."""
        return asdict(self)


def run_probes(rows: pd.DataFrame, measures: pd.DataFrame) -> ProbeReport:
    """Train every probe on the training rows (with ``class_id, part, block_id``) and judge it on the test rows."""
    pictures = _pictures(rows, measures)
    train, test = _at_most(pictures[pictures["part"] == "train"]), pictures[pictures["part"] == "test"]
    test = test[test["class_id"].isin(train["class_id"])]
    blocks = int(test["block_id"].nunique())
    if blocks < _LEAST_BLOCKS or train["class_id"].nunique() < 2:
        reason = f"{blocks} blocks of test ground with pictures of known classes, {_LEAST_BLOCKS} are needed"
        return ProbeReport((), None, int(test["panorama_id"].nunique()), blocks, reason)
    trial = _Trial.between(train, _at_most(test))
    # A thread a probe: trees are grown outside Python's lock, and joblib's own threads would idle on small forests.
    with ThreadPoolExecutor() as pool:
        results = tuple(pool.map(lambda name: trial.judge(name, *PROBES[name]), PROBES))
    return ProbeReport(results, trial.chance(), len(trial.panoramas), blocks)


def file_features(pictures: pd.DataFrame) -> Array:
    """Give file size in bytes and the JPEG's quantisation tables, shape (N, 129)."""
    tables = np.frombuffer(b"".join(pictures["tables"]), dtype=np.uint8).reshape(-1, TABLES)
    return np.column_stack([pictures["bytes"].to_numpy(float), tables.astype(float)])


def colour_features(pictures: pd.DataFrame) -> Array:
    """Give the file's features and the mean red, green and blue, shape (N, 132)."""
    return np.column_stack([file_features(pictures), thumbnails(pictures).mean(axis=(1, 2))])


def provenance_features(pictures: pd.DataFrame) -> Array:
    """Give year and month (0 where unknown) and who made and is credited for the picture, one column a name."""
    captured = pictures["captured"].fillna("").astype(str)
    year, month = (pd.to_numeric(captured.str.slice(*at), errors="coerce").fillna(0) for at in ((0, 4), (5, 7)))
    names = [_indicators(pictures[column]) for column in ("creator", "attribution", "license")]
    return np.column_stack([year.to_numpy(float), month.to_numpy(float), *names])


def car_features(pictures: pd.DataFrame) -> Array:
    """Give the pixels of the lowest fifth at 4 × 20, shape (N, 240): where the car and its shadow are."""
    return thumbnails(pictures)[:, -_FIFTH:].reshape(len(pictures), -1).astype(float)


def sky_features(pictures: pd.DataFrame) -> Array:
    """Give the pixels of the upper fifth at 4 × 20, shape (N, 240)."""
    return thumbnails(pictures)[:, :_FIFTH].reshape(len(pictures), -1).astype(float)


PROBES: Mapping[str, tuple[str, Callable[[pd.DataFrame], Array]]] = {
    "file": ("file size and JPEG tables", file_features),
    "colour": ("file size, JPEG tables and mean colour", colour_features),
    "provenance": ("capture month and copyright", provenance_features),
    "car": ("the lowest fifth of the picture", car_features),
    "sky": ("the upper fifth of the picture", sky_features),
}


@dataclass(frozen=True)
class _Trial:
    """Training pictures, test pictures, and the test panoramas that are judged."""

    train: pd.DataFrame
    test: pd.DataFrame
    panoramas: pd.DataFrame
    classes: pd.Index
    middles: Array

    @classmethod
    def between(cls, train: pd.DataFrame, test: pd.DataFrame) -> "_Trial":
        classes = pd.Index(sorted(train["class_id"].unique()))
        places = {name: one_a_panorama(group) for name, group in train.groupby("class_id")}
        middles = np.array([geometric_median(places[name]["lat"], places[name]["lon"]) for name in classes])
        panoramas = one_a_panorama(test).sort_values("panorama_id", ignore_index=True)
        return cls(train, test, panoramas, classes, middles)

    def judge(self, name: str, title: str, features: Callable[[pd.DataFrame], Array]) -> ProbeResult:
        """Train one probe and compare it with chance, panorama by panorama."""
        probabilities = self._probabilities(features)
        correct = self._correct(probabilities.argmax(axis=1))
        km = self._km(self.middles[(probabilities @ self._between_middles()).argmin(axis=1)])
        bounds = self._interval(correct)
        above_prior = self._interval(correct - self._prior_correct())[0] > 0
        return ProbeResult(
            name=name,
            title=title,
            accuracy=float(correct.mean()),
            accuracy_interval=bounds,
            mean_km=float(km.mean()),
            km_interval=self._interval(km),
            above=above_prior and bounds[0] > 1 / len(self.classes),
            nearer=self._interval(km - self._best_constant_km())[1] < 0,
        )

    def chance(self) -> Chance:
        """Score the three guessers of the evaluation on the same panoramas."""
        prior = float(self._prior_correct().mean())
        return Chance(1 / len(self.classes), prior, float(self._best_constant_km().mean()))

    def _probabilities(self, features: Callable[[pd.DataFrame], Array]) -> Array:
        """Mean probabilities (panoramas, classes) over the views of each test panorama."""
        # Loading it takes a second, which only publishing should pay.
        from sklearn.ensemble import ExtraTreesClassifier

        both = features(pd.concat([self.train, self.test]))
        forest = ExtraTreesClassifier(_TREES, min_samples_leaf=_LEAF, random_state=_SEED)
        forest.fit(both[: len(self.train)], self.classes.get_indexer(pd.Index(self.train["class_id"])))
        views = pd.DataFrame(forest.predict_proba(both[len(self.train) :]))
        return views.groupby(self.test["panorama_id"].to_numpy()).mean().to_numpy()

    def _correct(self, answers: NDArray[np.intp] | np.intp) -> Array:
        truth = self.classes.get_indexer(pd.Index(self.panoramas["class_id"]))
        return np.asarray(truth == answers, dtype=float)

    def _km(self, positions: Array) -> Array:
        return haversine_km(self.panoramas["lat"], self.panoramas["lon"], positions[..., 0], positions[..., 1])

    def _between_middles(self) -> Array:
        lat, lon = self.middles.T
        return haversine_km(lat[:, None], lon[:, None], lat, lon)

    def _prior_correct(self) -> Array:
        counts = one_a_panorama(self.train)["class_id"].value_counts()
        return self._correct(counts.reindex(self.classes).to_numpy().argmax())

    def _best_constant_km(self) -> Array:
        places = one_a_panorama(self.train)
        return self._km(np.array(geometric_median(places["lat"], places["lon"])))

    def _interval(self, values: Array) -> tuple[float, float]:
        """Percentile interval of the mean over panoramas, whole blocks of ground drawn with replacement."""
        block = pd.factorize(self.panoramas["block_id"])[0]
        blocks = int(block.max()) + 1
        drawn = np.random.default_rng(_SEED).multinomial(blocks, np.full(blocks, 1 / blocks), size=_RESAMPLES)
        means = (drawn @ np.bincount(block, weights=values)) / (drawn @ np.bincount(block))
        low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        return float(low), float(high)


def _pictures(rows: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Put each image beside what was measured of its file, in the order of the image ids."""
    columns = ["thumb", "tables", "readable"]
    joined = rows.merge(measures.reindex(columns=columns), left_on="sha256", right_index=True)
    return joined[joined["readable"].eq(True)].sort_values("image_id").reset_index(drop=True)


def _at_most(pictures: pd.DataFrame) -> pd.DataFrame:
    """Keep whole panoramas, drawn by a fixed seed, with about ``LARGEST`` pictures."""
    if len(pictures) <= LARGEST:
        return pictures
    sources = pictures["panorama_id"].unique()
    keep = round(len(sources) * LARGEST / len(pictures))
    return pictures[pictures["panorama_id"].isin(np.random.default_rng(_SEED).permutation(sources)[:keep])]


def _indicators(names: pd.Series) -> Array:
    """One column for each of the most frequent names."""
    known = names.fillna("").astype(str)
    frequent = sorted(known.value_counts().index[:_NAMES])
    return np.column_stack([(known == name).to_numpy(float) for name in frequent])
