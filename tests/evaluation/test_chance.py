import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.errors import DatasetError
from geolocate.evaluation.chance import (
    TrainingPlaces,
    best_constant,
    best_constant_position,
    prior,
    uniform,
)
from geolocate.evaluation.metrics import Truth
from geolocate.geography.distances import haversine_km
from tests.evaluation.examples import question


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.booleans())
def test_no_training_place_beats_the_best_constant(seed, count, clumped):
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(50, 59, count), rng.uniform(-7, 2, count)
    if clumped:
        lat[: count // 2 + 1], lon[: count // 2 + 1] = lat[0], lon[0]
    weight = rng.uniform(0.1, 3, count)
    places = TrainingPlaces(lat, lon, np.zeros(count, dtype=int), weight, lat[:1], lon[:1])
    at = best_constant_position(places)
    mine = np.average(haversine_km(at[0], at[1], lat, lon), weights=weight)
    others = (haversine_km(lat[:, None], lon[:, None], lat, lon) * weight).sum(axis=1) / weight.sum()
    assert mine <= others.min() + 1e-3


def test_uniform_is_every_class_as_likely():
    asked = question()
    guesses = uniform(asked.places, asked.truth)
    assert guesses.correct.mean() == pytest.approx(1 / 12)
    assert guesses.top5.mean() == pytest.approx(5 / 12)
    assert guesses.km.shape == (12, 60)


def test_prior_names_the_most_frequent_training_class_whatever_the_test_holds():
    places = TrainingPlaces(
        np.array([51.5, 55.9, 55.9]), np.array([-0.1, -3.2, -3.2]), np.array([0, 1, 1]), np.ones(3),
        np.array([51.5, 55.9]), np.array([-0.1, -3.2]),
    )  # fmt: skip
    truth = Truth(np.full(3, 51.5), np.full(3, -0.1), np.array([0, 0, 0]), np.array(["a", "b", "c"]))
    guesses = prior(places, truth)
    assert not guesses.correct.any()
    assert guesses.top5.all()
    assert guesses.km == pytest.approx(np.full((1, 3), haversine_km(55.9, -3.2, 51.5, -0.1)))


def test_chance_never_reads_the_test_truth():
    asked = question()
    moved = Truth(
        asked.truth.lat[::-1].copy(), asked.truth.lon[::-1].copy(), asked.truth.class_index, asked.truth.block_id
    )
    assert (best_constant(asked.places, asked.truth).km[:, ::-1] == best_constant(asked.places, moved).km).all()


def test_distance_goes_to_the_panoramas_own_position_not_to_its_class():
    asked = question()
    guesses = best_constant(asked.places, asked.truth)
    lat, lon = best_constant_position(asked.places)
    assert guesses.km[0] == pytest.approx(haversine_km(lat, lon, asked.truth.lat, asked.truth.lon))


def test_no_training_places_is_said_in_one_line():
    nothing = np.empty(0)
    with pytest.raises(DatasetError, match="no training places"):
        TrainingPlaces(nothing, nothing, nothing.astype(int), nothing, nothing, nothing)
