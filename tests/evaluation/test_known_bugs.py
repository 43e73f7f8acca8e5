"""Bugs that cost other projects their results, each as a test of the scoring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolocate.evaluation.answers import Answers, answers_from_posterior
from geolocate.evaluation.assess import Question, assess_answers, guesses_of
from geolocate.evaluation.metrics import Truth, geoscore, metric_names, region_geoscore
from geolocate.reporting.tables import metric_of
from tests.evaluation.examples import question


@given(st.lists(st.floats(0, 20_000), min_size=2, max_size=20))
def test_a_score_falls_as_the_distance_grows_and_is_never_taken_for_a_loss(distances):
    near_to_far = np.sort(np.array(distances))
    for scores in (geoscore(near_to_far), region_geoscore(near_to_far, 1388.0)):
        assert (np.diff(scores) <= 0).all()
    assert geoscore(np.zeros(1))[0] == region_geoscore(np.zeros(1), 1388.0)[0] == 5000


def test_every_metric_knows_which_way_is_better():
    asked = question()
    truth, ids = asked.truth, np.arange(60).astype(str)
    near = Answers("near", ids, truth.lat, truth.lon, truth.class_index)
    # 2° off, and a class that none of them is of.
    far = Answers("far", ids, truth.lat - 2, truth.lon, (truth.class_index + 6) % 12)
    better, worse = (assess_answers(asked, {"model": [one]})["metrics"] for one in (near, far))
    for name in metric_names("uk"):
        difference = better[name]["model"]["value"] - worse[name]["model"]["value"]
        assert difference == 0 or (difference > 0) == metric_of(name).more_is_better
    assert better["geoscore"]["model"]["value"] > worse["geoscore"]["model"]["value"]
    assert better["mean_km"]["model"]["value"] < worse["mean_km"]["model"]["value"]


def test_distance_goes_to_the_panorama_and_not_to_the_middle_of_its_cell():
    asked = question()
    truth, places = asked.truth, asked.places
    sure = np.zeros((60, 12))
    sure[np.arange(60), truth.class_index] = 1.0
    # Every panorama stands 0.5° north of where its class has its middle: naming the right class is 55 km off.
    off = Truth(places.class_lat[truth.class_index] + 0.5, places.class_lon[truth.class_index], *_rest(truth))
    answers = answers_from_posterior("m", np.arange(60).astype(str), sure, places.class_lat, places.class_lon)
    guesses = guesses_of(off, [answers])
    assert guesses.correct.all()
    assert guesses.km == pytest.approx(55.6, abs=0.1)
    chance = assess_answers(Question(off, places, "uk", 1388.0), {"model": [answers]})["metrics"]["mean_km"]
    assert chance["prior"]["value"] > 50


def _rest(truth):
    return truth.class_index, truth.block_id
