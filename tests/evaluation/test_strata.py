"""Bins tell a model that knows places again from one that knows the ground."""

import numpy as np
import pytest

from geolocate.evaluation.answers import Answers
from geolocate.evaluation.assess import Question
from geolocate.evaluation.metrics import Truth
from geolocate.evaluation.strata import people_around, strata
from geolocate.geography.regions import load_region
from tests.evaluation.examples import question

UK = load_region("uk")


def test_a_model_that_is_good_beside_training_ground_only_is_seen():
    asked = question(test=60)
    lat, lon = asked.truth.lat.copy(), asked.truth.lon.copy()
    lat[30:] += 1.0  # some 110 km from all training ground
    truth = Truth(lat, lon, asked.truth.class_index, asked.truth.block_id)
    answers = Answers("m", np.arange(60).astype(str), asked.truth.lat, asked.truth.lon, asked.truth.class_index)
    bins = strata(Question(truth, asked.places, "uk", 1388.0), answers, UK)["nearest_train_km"]
    assert sum(one["panoramas"] for one in bins) == 60
    by_name = {one["name"]: one["mean_km"]["model"]["value"] for one in bins}
    assert by_name["over 50 km"] == pytest.approx(111.2, abs=0.1)
    assert min(by_name.values()) == pytest.approx(0, abs=1e-3)
    assert all(one["mean_km"]["best_constant"]["value"] > 0 for one in bins)


def test_people_around_tell_a_city_from_a_moor():
    london, rannoch_moor = (51.507, -0.128), (56.65, -4.60)
    people = people_around(UK, *np.array([london, rannoch_moor]).T)
    assert people[0] > 500_000
    assert people[1] < 10_000
