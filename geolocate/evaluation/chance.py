"""What can be had without looking at any picture: three guessers, from training places only.

*uniform* names a random class, each as likely. *prior* always names the class that most training panoramas belong
to. *best constant* always answers with the one point that is nearest, on average, to the training panoramas: their
weighted geometric median. A model that does not beat them has learnt nothing about the ground.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geolocate.errors import DatasetError
from geolocate.evaluation.metrics import Guesses, Truth
from geolocate.geography.distances import geometric_median, haversine_km

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

CHANCES = ("uniform", "prior", "best_constant")
TOP = 5


@dataclass(frozen=True, slots=True)
class TrainingPlaces:
    """The training panoramas (N,) and the C classes that they make: positions in degrees.

    ``lat, lon, class_index, weight`` are one a panorama; ``class_lat, class_lon`` one a class.
    """

    lat: Array
    lon: Array
    class_index: Codes
    weight: Array
    class_lat: Array
    class_lon: Array

    def __post_init__(self) -> None:
        if not len(self.lat) or not len(self.class_lat):
            raise DatasetError("no training places: chance cannot be told; publish a dataset with a training part")

    @property
    def classes(self) -> int:
        """How many classes there are to choose from."""
        return len(self.class_lat)

    @property
    def counts(self) -> Array:
        """How much training weight each class has."""
        return np.asarray(np.bincount(self.class_index, weights=self.weight, minlength=self.classes), dtype=float)


def uniform(places: TrainingPlaces, truth: Truth) -> Guesses:
    """Name a random class: all C answers are scored, and averaged as an expectation."""
    km = haversine_km(truth.lat[None], truth.lon[None], places.class_lat[:, None], places.class_lon[:, None])
    correct = np.arange(places.classes)[:, None] == truth.class_index[None]
    chance = min(TOP, places.classes) / places.classes
    top5 = np.broadcast_to(np.where(truth.class_index >= 0, chance, 0.0), km.shape)
    return Guesses(km, correct, top5, ways="expectation")


def prior(places: TrainingPlaces, truth: Truth) -> Guesses:
    """Always name the most frequent training class; its five are the five most frequent."""
    order = most_frequent(places)
    return _constant(float(places.class_lat[order[0]]), float(places.class_lon[order[0]]), order, truth)


def best_constant(places: TrainingPlaces, truth: Truth) -> Guesses:
    """Always answer with the weighted geometric median; its class is the nearest one, its five the nearest five."""
    lat, lon = best_constant_position(places)
    order = np.argsort(haversine_km(lat, lon, places.class_lat, places.class_lon), kind="stable")
    return _constant(lat, lon, order, truth)


def best_constant_position(places: TrainingPlaces) -> tuple[float, float]:
    """Return the point (lat, lon) with the smallest mean distance to the training panoramas."""
    return geometric_median(places.lat, places.lon, places.weight)


def most_frequent(places: TrainingPlaces) -> Codes:
    """Return the classes from the most to the least frequent; equal ones in the order of their index."""
    return np.argsort(-places.counts, kind="stable")


def chances(places: TrainingPlaces, truth: Truth) -> dict[str, Guesses]:
    """Return the three guessers' guesses at the test panoramas, by name."""
    return {
        "uniform": uniform(places, truth),
        "prior": prior(places, truth),
        "best_constant": best_constant(places, truth),
    }


def _constant(lat: float, lon: float, order: Codes, truth: Truth) -> Guesses:
    km = haversine_km(truth.lat, truth.lon, lat, lon)[None]
    correct = (truth.class_index == order[0])[None]
    top5 = np.isin(truth.class_index, order[:TOP])[None].astype(float)
    # One way, whatever number of runs the model has: chance does not depend on their seeds.
    return Guesses(np.asarray(km), correct, top5, ways="expectation")
