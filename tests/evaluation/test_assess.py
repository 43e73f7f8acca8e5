import json

import numpy as np
import pytest

from geolocate.errors import DatasetError
from geolocate.evaluation.answers import top_classes
from geolocate.evaluation.assess import Question, assess, systems_of
from geolocate.evaluation.chance import CHANCES
from geolocate.evaluation.metrics import Truth, metric_names
from tests.evaluation.examples import posterior, question


@pytest.fixture(scope="module")
def skilled():
    asked = question()
    return assess(asked, [posterior(asked, 4.0)])


def test_every_metric_stands_beside_every_chance_with_an_interval(skilled):
    assert tuple(skilled["metrics"]) == metric_names("uk")
    for systems in skilled["metrics"].values():
        assert set(systems) == {"model", "model_argmax", *CHANCES}
        for cell in systems.values():
            assert cell["low"] <= cell["value"] + 1e-9
            assert cell["value"] <= cell["high"] + 1e-9


def test_a_skilled_model_beats_chance_with_a_paired_interval_that_excludes_zero(skilled):
    assert skilled["paired"]["mean_km"]["best_constant"]["high"] < 0
    assert skilled["paired"]["mean_km"]["prior"]["high"] < 0
    assert skilled["paired"]["accuracy"]["prior"]["low"] > 0
    assert skilled["paired"]["geoscore_uk"]["best_constant"]["low"] > 0


def test_a_model_that_knows_nothing_does_not_beat_the_best_constant():
    asked = question()
    result = assess(asked, [posterior(asked, 0.0)])
    assert result["paired"]["mean_km"]["best_constant"]["high"] > 0
    assert abs(result["paired"]["accuracy"]["uniform"]["value"]) < 0.1


def test_the_decoder_of_least_expected_distance_is_not_worse_on_average_when_unsure():
    asked = question(test=300)
    mean = assess(asked, [posterior(asked, 1.0)])["metrics"]["mean_km"]
    assert mean["model"]["value"] < mean["model_argmax"]["value"]


def test_paired_differences_are_differences_of_the_values(skilled):
    for metric, against in skilled["paired"].items():
        for chance, cell in against.items():
            values = skilled["metrics"][metric]
            assert cell["value"] == pytest.approx(values["model"]["value"] - values[chance]["value"])


def test_the_result_is_plain_json_and_the_same_every_time(skilled):
    asked = question()
    again = assess(asked, [posterior(asked, 4.0)])
    assert json.dumps(again, allow_nan=False) == json.dumps(skilled, allow_nan=False)


def test_a_test_class_that_was_not_trained_counts_as_an_error_and_keeps_its_distance():
    asked = question()
    unknown = np.full(60, -1)
    truth = Truth(asked.truth.lat, asked.truth.lon, unknown, asked.truth.block_id)
    result = assess(Question(truth, asked.places, "uk", 1388.0), [posterior(asked, 4.0)])
    assert result["metrics"]["accuracy"]["model"]["value"] == 0
    assert result["metrics"]["accuracy_top5"]["uniform"]["value"] == 0
    assert result["metrics"]["mean_km"]["model"]["value"] < 200


def test_one_block_gives_values_without_intervals():
    asked = question(test=6)
    truth = Truth(asked.truth.lat, asked.truth.lon, asked.truth.class_index, np.array(["only"] * 6))
    cell = assess(Question(truth, asked.places, "uk", 1388.0), [posterior(asked, 4.0)])["metrics"]["mean_km"]["model"]
    assert cell["low"] is None
    assert cell["value"] > 0


def test_no_test_panorama_is_said_in_one_line():
    asked = question()
    nothing = np.empty(0)
    truth = Truth(nothing, nothing, nothing.astype(int), nothing.astype(str))
    with pytest.raises(DatasetError, match="test part has no panorama"):
        Question(truth, asked.places, "uk", 1388.0)


def test_the_best_class_is_the_most_probable_and_distance_the_smallest():
    # A decoder that took the argmax of a distance would answer with the farthest class.
    asked = question()
    sure = np.zeros((60, 12))
    sure[np.arange(60), asked.truth.class_index] = 1.0
    assert (top_classes(sure)[:, 0] == asked.truth.class_index).all()
    for name in ("model", "model_argmax"):
        assert systems_of(asked, [sure])[name].km.max() < 15
