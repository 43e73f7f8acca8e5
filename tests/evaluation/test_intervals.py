import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.evaluation.assess import Bootstrap, assess
from geolocate.evaluation.intervals import RESAMPLES, draw_resamples, interval
from tests.evaluation.examples import posterior, question


def test_at_least_two_thousand_resamples_by_default():
    assert RESAMPLES >= 2000
    assert draw_resamples(1, 7).blocks.shape == (RESAMPLES, 7)


def test_each_resample_draws_as_many_blocks_and_runs_as_there_are():
    drawn = draw_resamples(5, 11, 50, seed=3)
    assert (drawn.blocks.sum(axis=1) == 11).all()
    assert (drawn.runs.sum(axis=1) == 5).all()


def test_the_same_seed_draws_the_same():
    assert (draw_resamples(2, 9, 20, seed=5).blocks == draw_resamples(2, 9, 20, seed=5).blocks).all()
    assert (draw_resamples(2, 9, 20, seed=5).blocks != draw_resamples(2, 9, 20, seed=6).blocks).any()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.1, 100), min_size=8, max_size=40), st.integers(0, 1000))
def test_the_interval_of_symmetrical_data_contains_the_estimate(half, seed):
    values = np.array([*half, *(-value for value in half)])
    drawn = draw_resamples(1, len(values), seed=seed)
    low, high = interval(drawn.blocks @ values / len(values))
    assert low <= values.mean() <= high


def test_undefined_resamples_are_left_out_and_too_few_give_no_interval():
    assert interval(np.array([np.nan, 1.0, 2.0, 3.0])) is not None
    assert interval(np.array([np.nan, 1.0])) is None


def test_blocks_make_wider_intervals_than_as_many_panoramas():
    asked = question(test=120)
    guess = posterior(asked, 1.0)
    # Panoramas of one block are now all of one class, so they succeed and fail together.
    by_block = assess(asked, [guess])["metrics"]["accuracy"]["prior"]
    truth = asked.truth
    single = type(truth)(truth.lat, truth.lon, truth.class_index, np.array([f"{at:04d}" for at in range(120)]))
    alone = assess(type(asked)(single, asked.places, "uk", 1388.0), [guess])["metrics"]["accuracy"]["prior"]
    assert by_block["high"] - by_block["low"] > alone["high"] - alone["low"]


def test_runs_are_resampled_with_blocks():
    asked = question()
    runs = [posterior(asked, skill, seed) for skill, seed in ((0.2, 1), (4.0, 2), (0.3, 3))]
    together = assess(asked, runs, Bootstrap(resamples=500))
    alone = assess(asked, runs[:1], Bootstrap(resamples=500))
    width = [result["metrics"]["accuracy"]["model"] for result in (together, alone)]
    assert width[0]["high"] - width[0]["low"] > width[1]["high"] - width[1]["low"]
    assert together["intervals"]["unit"] == "run and ground block"
    assert together["metrics"]["accuracy"]["prior"]["value"] == alone["metrics"]["accuracy"]["prior"]["value"]
