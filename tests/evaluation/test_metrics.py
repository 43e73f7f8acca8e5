import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolocate.evaluation.intervals import draw_resamples, whole_sample
from geolocate.evaluation.metrics import Guesses, Scorer, Truth, geoscore, metric_names, region_geoscore

DISTANCES = st.floats(0, 20_000, allow_nan=False)


def _truth(class_index, blocks=None):
    count = len(class_index)
    names = np.array([f"b{at:02d}" for at in range(count)]) if blocks is None else np.array(blocks)
    return Truth(np.full(count, 52.0), np.full(count, -1.0), np.array(class_index), names)


def _score(guesses, truth):
    runs = len(guesses.km) if guesses.ways == "runs" else 1
    scored = Scorer(truth, "uk", 1388.0).score(guesses, whole_sample(runs, int(truth.blocks.max()) + 1))
    return {name: float(value[0]) for name, value in scored.items()}


@given(DISTANCES, DISTANCES)
def test_a_score_never_rises_with_distance(one, other):
    near, far = sorted((one, other))
    assert geoscore(np.array(near)) >= geoscore(np.array(far))
    assert region_geoscore(np.array(near), 1388.0) >= region_geoscore(np.array(far), 1388.0)


def test_scores_are_5000_on_the_spot_and_not_rounded():
    assert geoscore(np.array(0.0)) == region_geoscore(np.array(0.0), 5676.0) == 5000.0
    assert geoscore(np.array(1492.7)) == pytest.approx(5000 / np.e)
    assert region_geoscore(np.array(138.8), 1388.0) == pytest.approx(5000 / np.e)
    assert float(geoscore(np.array(1.0))) % 1 != 0


def test_the_worlds_scale_saturates_within_one_country_and_the_regions_does_not():
    # A constant guess over UK cities is some 160 km off.
    assert geoscore(np.array(160.0)) > 4400
    assert region_geoscore(np.array(160.0), 1388.0) < 1600


def test_metrics_by_hand():
    km = np.array([[0.5, 4.0, 30.0, 300.0]])
    scored = _score(
        Guesses(km, np.array([[True, False, False, False]]), np.array([[1.0, 1.0, 0.0, 0.0]])), _truth([0, 0, 0, 1])
    )
    assert scored["accuracy"] == 0.25
    assert scored["accuracy_macro"] == pytest.approx((1 / 3 + 0) / 2)
    assert scored["accuracy_top5"] == 0.5
    assert scored["mean_km"] == pytest.approx(83.625)
    assert scored["median_km"] == pytest.approx(17.0)
    shares = [scored[f"within_{limit}_km"] for limit in (1, 5, 25, 50, 200, 750)]
    assert shares == [0.25, 0.5, 0.5, 0.75, 0.75, 1.0]


def test_a_distance_equal_to_a_threshold_is_within_it():
    scored = _score(Guesses(np.array([[25.0]]), np.array([[True]]), np.array([[1.0]])), _truth([0]))
    assert scored["within_25_km"] == 1.0
    assert scored["within_10_km"] == 0.0


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=30))
def test_a_weight_of_three_counts_as_three_panoramas(panoramas):
    km, index, weight = (np.array(column) for column in zip(*panoramas, strict=True))
    blocks = np.array([f"b{at % 5}" for at in range(len(km))])
    weighted = Truth(np.full(len(km), 52.0), np.full(len(km), -1.0), index, blocks, weight.astype(float))
    repeated = Truth(*(np.repeat(column, weight) for column in (weighted.lat, weighted.lon, index, blocks)))
    scored = _score(_guesses(km, index), weighted)
    assert scored == pytest.approx(_score(_guesses(np.repeat(km, weight), np.repeat(index, weight)), repeated))


def _guesses(km, index):
    right = (index + np.round(km).astype(int)) % 2 == 0
    return Guesses(km[None], right[None], right[None].astype(float))


def test_unequal_weights_are_worth_fewer_panoramas():
    equal = _truth([0, 0, 0, 1])
    assert equal.effective == 4
    uneven = Truth(equal.lat, equal.lon, equal.class_index, equal.block_id, np.array([1.0, 1.0, 1.0, 7.0]))
    assert uneven.effective == pytest.approx(100 / 52)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=60))
def test_mean_and_median_are_numpys(distances):
    km = np.array([distances])
    scored = _score(Guesses(km, km < 0, np.zeros_like(km)), _truth([0] * len(distances)))
    assert scored["mean_km"] == pytest.approx(np.mean(distances))
    assert scored["median_km"] == pytest.approx(np.median(distances))


def test_the_ways_of_a_random_guesser_are_averaged():
    km = np.array([[10.0, 10.0], [30.0, 50.0]])
    guesses = Guesses(km, km < 20, np.ones_like(km), ways="expectation")
    scored = _score(guesses, _truth([0, 1]))
    assert scored["mean_km"] == 25.0
    assert scored["accuracy"] == 0.5
    assert scored["median_km"] == pytest.approx(20.0)


def test_large_pools_of_distances_keep_their_median():
    km = np.random.default_rng(0).exponential(200, (1, 20_001))
    scored = _score(Guesses(km, km < 0, np.zeros_like(km)), _truth([0] * 20_001, ["b"] * 20_001))
    assert scored["median_km"] == pytest.approx(np.median(km), rel=2e-3)


def test_a_resampled_block_takes_its_panoramas_with_it():
    truth = _truth([0, 0, 1, 1], ["a", "a", "b", "b"])
    km = np.array([[0.0, 0.0, 100.0, 100.0]])
    scorer = Scorer(truth, "uk", 1388.0)
    means = scorer.score(Guesses(km, km < 1, np.ones_like(km)), draw_resamples(1, 2, 400, seed=1))["mean_km"]
    assert set(np.unique(means)) == {0.0, 50.0, 100.0}


def test_the_table_names_the_regions_own_score():
    assert metric_names("us")[-1] == "geoscore_us"
    assert "within_2500_km" in metric_names("uk")
