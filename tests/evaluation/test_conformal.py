import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from geolocate.evaluation.conformal import (
    block_quantile,
    class_scores,
    class_sets,
    coverage_band,
    covered_n,
    effective_n,
    judge,
)


def test_with_one_place_a_block_it_is_the_usual_split_conformal_quantile():
    # n = 19: the ceil(20 × 0.9) = 18th smallest score.
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 20.0))
    assert block_quantile(scores, np.arange(19), 0.9) == 18.0


def test_blocks_count_alike_however_many_places_they_hold():
    # Three blocks weigh 1/4 each. The hundred places of the first, all 1, reach 0.25; the next 0.5; the last 0.75.
    scores, blocks = np.array([1.0] * 100 + [2.0, 3.0]), np.array(["a"] * 100 + ["b", "c"])
    assert [block_quantile(scores, blocks, level) for level in (0.2, 0.25, 0.4, 0.5, 0.7, 0.75)] == [1, 1, 2, 2, 3, 3]
    assert block_quantile(scores, blocks, 0.76) == np.inf


def test_eight_blocks_cannot_promise_nine_in_ten_and_nine_can():
    for blocks, promised in ((8, False), (9, True)):
        many = np.repeat(np.arange(blocks), 50)
        assert np.isfinite(block_quantile(np.random.default_rng(0).random(len(many)), many, 0.9)) == promised
    assert block_quantile(np.empty(0), np.empty(0), 0.5) == np.inf


def test_the_score_of_a_class_is_what_it_and_the_likelier_ones_hold():
    posterior = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.5, 0.3, 0.2]])
    assert class_scores(posterior, np.array([0, 1, 0, -1])) == pytest.approx([0.5, 0.8, 0.8, np.inf])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_class_is_in_the_set_if_and_only_if_its_score_is_within_or_it_is_the_best(seed, threshold):
    rng = np.random.default_rng(seed)
    posterior = rng.dirichlet(np.full(5, 0.5), size=6)
    posterior[0] = 0.2  # all alike
    sets = class_sets(posterior, threshold)
    for one in range(5):
        score = class_scores(posterior, np.full(6, one))
        best = np.argmax(posterior, axis=1) == one
        assert (sets[:, one] == ((score <= threshold + 1e-12) | best)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_sets_only_grow_with_the_threshold(seed, one, other):
    posterior = np.random.default_rng(seed).dirichlet(np.full(7, 0.5), size=5)
    low, high = sorted((one, other))
    assert (class_sets(posterior, low) <= class_sets(posterior, high)).all()


def test_the_band_holds_what_a_sound_method_does_when_it_is_tried():
    # Thresholds and coverage of 20,000 tries with uniform scores: the share of the covered is the threshold itself.
    rng = np.random.default_rng(0)
    for n in (300, 2000):
        k = int(np.ceil((n + 1) * 0.9))
        shares = rng.binomial(n, rng.beta(k, n + 1 - k, 20_000)) / n
        low, high = coverage_band(n, n, 0.9)
        assert ((shares >= low) & (shares <= high)).mean() == pytest.approx(0.955, abs=0.01)
        assert (low, high) == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.0035)
    for n, within in ((300, 0.55), (2000, 0.96)):
        k = int(np.ceil((n + 1) * 0.9))
        hits = betabinom(n, k, n + 1 - k)
        assert hits.cdf(0.92 * n - 1) - hits.cdf(0.88 * n) == pytest.approx(within, abs=0.005)
    # 300 + 300 places cannot tell 88 % from 92 %; 2,000 + 2,000 can.
    assert coverage_band(300, 300, 0.9)[0] < 0.88 < coverage_band(2000, 2000, 0.9)[0]
    assert coverage_band(5, 100, 0.9) == (1.0, 1.0)


def test_a_block_of_alike_places_counts_once_and_unlike_ones_all():
    blocks = np.repeat(np.arange(50), 8)
    rng = np.random.default_rng(0)
    assert effective_n(np.repeat(rng.random(50), 8), blocks) == pytest.approx(50)
    assert effective_n(rng.random(400), blocks) > 330
    assert effective_n(rng.random(400), np.arange(400)) == 400
    assert effective_n(rng.random(8), np.zeros(8)) == 1


def test_sound_sets_land_in_their_band_as_often_as_it_says():
    kept, tries = 0, 300
    rng = np.random.default_rng(5)
    for _ in range(tries):
        # 100 + 100 blocks of 1 to 6 places that share most of what makes a score.
        scores, blocks = _blocked_scores(rng, 200)
        first = blocks < 100
        calibration, test = (scores[first], blocks[first]), (scores[~first], blocks[~first])
        limit = block_quantile(*calibration, 0.9)
        kept += judge(*test, limit, 0.9, covered_n(*calibration, limit)).kept
    assert 0.9 <= kept / tries <= 1.0


def test_a_promise_that_is_not_kept_is_told():
    rng = np.random.default_rng(6)
    scores, blocks = _blocked_scores(rng, 600)
    first = blocks < 300
    calibration, test = (scores[first], blocks[first]), (scores[~first] + 0.5, blocks[~first])
    limit = block_quantile(*calibration, 0.9)
    found = judge(*test, limit, 0.9, covered_n(*calibration, limit))
    assert not found.kept
    assert found.covered < found.low


def test_blocks_are_covered_as_promised_where_counting_places_would_fail():
    # One block in four holds one hard place, the others thirty easy ones. Of a new block nine in ten must be covered.
    rng, by_block, by_place = np.random.default_rng(7), [], []
    for _ in range(400):
        size = np.where(np.arange(40) % 4 == 0, 1, 30)
        scores = np.repeat(np.where(size == 1, 1.0, 0.0), size) + rng.random(size.sum())
        blocks = np.repeat(np.arange(40), size)
        of_new = scores[blocks == (new := rng.integers(40))]
        rest = blocks != new
        by_block.append((of_new <= block_quantile(scores[rest], blocks[rest], 0.9)).mean())
        by_place.append((of_new <= np.quantile(scores[rest], 0.9)).mean())
    assert np.mean(by_block) > 0.89
    assert np.mean(by_place) < 0.8


def _blocked_scores(rng, count):
    size = rng.integers(1, 7, count)
    blocks = np.repeat(np.arange(count), size)
    return np.repeat(rng.normal(0, 1, count), size) + rng.normal(0, 0.5, len(blocks)), blocks
