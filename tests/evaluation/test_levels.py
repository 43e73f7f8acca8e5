"""Accuracy at each level of ground, for a system that answers with positions only."""

import numpy as np
import pytest

from geolocate.evaluation.answers import Answers, answers_from_posterior
from geolocate.evaluation.levels import LEVELS, Ground, level_metrics, units_at
from geolocate.geography.regions import load_region
from tests.evaluation.examples import posterior, question

LONDON, LEEDS, CARDIFF, NORTH_SEA = (51.507, -0.128), (53.797, -1.548), (51.481, -3.179), (56.0, 3.0)


@pytest.fixture(scope="module")
def ground():
    return Ground(load_region("uk"), 50, 50.0, "town", np.array([f"class-{at}" for at in range(12)]))


def test_positions_are_assigned_to_the_units_that_they_lie_in(ground):
    units = units_at(ground, *np.array([LONDON, LEEDS, CARDIFF, NORTH_SEA]).T)
    assert list(units["country"]) == ["GB", "GB", "GB", ""]
    assert list(units["admin1"]) == ["GB-ENG", "GB-ENG", "GB-WLS", ""]
    assert units.loc[0, "city"] != units.loc[1, "city"] != ""
    assert units.loc[2, "cell"].startswith("50km")


def test_the_truth_is_right_at_every_level_and_a_far_point_at_none_but_the_country(ground):
    asked = question()
    truth, numbers = asked.truth, np.arange(len(asked.truth.lat)).astype(str)
    sure = level_metrics(asked, Answers("oracle", numbers, truth.lat, truth.lon, truth.class_index), ground)
    assert {level: sure[level]["accuracy"]["model"]["value"] for level in sure} == dict.fromkeys(sure, 1.0)
    assert set(sure) <= set(LEVELS)
    shetland = Answers("far", numbers, np.full(60, 60.15), np.full(60, -1.15), np.full(60, -1))
    far = level_metrics(asked, shetland, ground)
    assert far["cell"]["accuracy"]["model"]["value"] == 0
    assert far["country"]["accuracy"]["model"]["value"] == 1
    assert far["cell"]["accuracy"]["model_class"]["value"] == 0


def test_coarser_ground_is_easier_and_chance_stands_beside_it(ground):
    asked = question(test=120)
    ids = np.arange(120).astype(str)
    made = answers_from_posterior("m", ids, posterior(asked, 3.0), asked.places.class_lat, asked.places.class_lon)
    levels = level_metrics(asked, made, ground)
    at = {level: levels[level]["accuracy"]["model"]["value"] for level in levels}
    assert at["cell"] < at["country"]
    cell = levels["cell"]
    assert cell["accuracy"]["model_class"]["value"] > cell["accuracy"]["prior"]["value"]
    assert cell["paired"]["accuracy"]["uniform"]["value"] == pytest.approx(
        cell["accuracy"]["model"]["value"] - cell["accuracy"]["uniform"]["value"]
    )
