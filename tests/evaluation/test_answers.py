"""Whatever answers has one shape, and what is no answer is refused by name."""

import numpy as np
import pytest

from geolocate.errors import DatasetError
from geolocate.evaluation.answers import Answers, answers_from_posterior


def answers(**changed):
    columns = {
        "panorama_ids": np.array(["a", "b", "c"]),
        "lat": np.array([51.0, 52.0, 53.0]),
        "lon": np.array([-1.0, 0.0, 1.0]),
        "class_index": np.array([0, 1, -1]),
    }
    return Answers("theirs", **{**columns, **changed})


def test_answers_are_put_in_the_order_asked_for():
    about = answers(in_region=np.array([0.1, 0.2, 0.3])).about(["c", "a"])
    assert list(about.lat) == [53.0, 51.0]
    assert list(about.in_region) == [0.3, 0.1]
    assert list(about.class_index) == [-1, 0]


def test_a_missing_answer_is_named():
    with pytest.raises(DatasetError, match=r"'theirs': 1 of 2 panoramas have no answer, such as 'd'"):
        answers().about(["a", "d"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lat": np.array([51.0, np.nan, 53.0])}, "panorama 'b' has lat nan"),
        ({"lon": np.array([0.0, 0.0, 181.0])}, "panorama 'c' has lon 181.0"),
        ({"lat": np.array([51.0])}, "lat has 1 rows for 3 panoramas"),
        ({"panorama_ids": np.array(["a", "b", "a"])}, "panorama 'a' is answered twice"),
    ],
)
def test_what_is_no_answer_is_refused(changed, said):
    with pytest.raises(DatasetError, match=said):
        answers(**changed)


def test_a_posterior_becomes_answers():
    posterior = np.array([[0.9, 0.05, 0.05], [0.0, 0.1, 0.9]])
    made = answers_from_posterior("ours", ["a", "b"], posterior, np.array([50.0, 52, 54]), np.zeros(3), "argmax")
    assert list(made.lat) == [50.0, 54.0]
    assert made.top5.tolist() == [[0, 1, 2], [2, 1, 0]]
