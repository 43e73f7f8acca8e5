"""A small made-up country for the evaluation's tests: classes, training places, test panoramas, posteriors."""

import numpy as np

from geolocate.evaluation.assess import Question
from geolocate.evaluation.chance import TrainingPlaces
from geolocate.evaluation.metrics import Truth

DIAGONAL_KM = 1388.0


def question(seed: int = 0, classes: int = 12, training: int = 150, test: int = 60) -> Question:
    """Classes spread over Great Britain; training and test places a few kilometres from their class."""
    rng = np.random.default_rng(seed)
    class_lat, class_lon = rng.uniform(50.5, 57.5, classes), rng.uniform(-5.0, 1.0, classes)
    train_class = np.sort(rng.integers(0, classes, training))
    test_class = np.sort(rng.integers(0, classes, test))
    places = TrainingPlaces(
        class_lat[train_class] + rng.normal(0, 0.03, training),
        class_lon[train_class] + rng.normal(0, 0.03, training),
        train_class,
        np.ones(training),
        class_lat,
        class_lon,
    )
    truth = Truth(
        class_lat[test_class] + rng.normal(0, 0.03, test),
        class_lon[test_class] + rng.normal(0, 0.03, test),
        test_class,
        np.array([f"block-{at // 3:03d}" for at in range(test)]),
    )
    return Question(truth, places, "uk", DIAGONAL_KM)


def posterior(asked: Question, skill: float, seed: int = 0) -> np.ndarray:
    """A posterior (P, C) that favours the true class by ``skill`` logits over noise; 0 knows nothing."""
    rng = np.random.default_rng(seed)
    test, classes = len(asked.truth.lat), asked.places.classes
    logits = rng.normal(0, 1, (test, classes))
    logits[np.arange(test), asked.truth.class_index] += skill
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)
