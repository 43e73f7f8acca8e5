import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.evaluation.openset import (
    auroc,
    energy_score,
    max_logit_score,
    neighbour_score,
    refusal_threshold,
    risk_coverage_area,
    risk_coverage_curve,
)


def test_scores_are_those_that_are_worked_out_by_hand():
    assert neighbour_score(np.array([[0.9, 0.8, 0.5], [0.4, 0.4, 0.3]])) == pytest.approx([0.5, 0.3])
    logits = np.log(np.array([[1.0, 3.0], [2.0, 8.0]]))
    assert energy_score(logits) == pytest.approx(np.log([4, 10]))
    assert max_logit_score(logits) == pytest.approx(np.log([3, 8]))


def test_the_area_under_the_curve_counts_pairs_and_halves_ties():
    # Of 2 × 2 pairs: 3 > 1, 3 > 2, 2 > 1 and a tie.
    assert auroc(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx(3.5 / 4)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(100, 300))
def test_no_larger_share_of_genuine_places_is_refused_than_was_allowed(seed, count):
    scores = np.random.default_rng(seed).integers(0, 50, count).astype(float)
    limit = refusal_threshold(scores, np.arange(count), 0.05)
    assert (scores < limit).mean() <= 0.05 + 1e-9
    assert (scores <= limit).mean() >= 0.05 - 1e-9


def test_a_block_of_many_places_does_not_set_the_limit_alone():
    # 900 dull places stand in one block of 100: a hundredth of the ground, so the limit is that of the bright ones.
    scores, blocks = np.array([0.0] * 900 + [1.0] * 99), np.array([0] * 900 + list(range(1, 100)))
    assert refusal_threshold(scores, blocks, 0.05) == 1.0
    assert refusal_threshold(scores, np.arange(999), 0.05) == 0.0


def test_few_blocks_are_not_ruled_by_their_worst_place():
    # Mean 5.5 and standard deviation 3.0277 of 1 … 10; the normal distribution's twentieth lies 1.6449 of them below.
    scores = np.arange(1.0, 11.0)
    assert refusal_threshold(scores, np.arange(10)) == pytest.approx(5.5 - 1.6449 * 3.0277, abs=1e-3)
    # Twice the same places in each block say nothing more.
    assert refusal_threshold(np.repeat(scores, 2), np.repeat(np.arange(10), 2)) == pytest.approx(0.52, abs=0.01)


def test_nothing_is_refused_where_nothing_is_known():
    assert refusal_threshold(np.empty(0), np.empty(0)) == -np.inf
    assert refusal_threshold(np.array([1.0, 2.0]), np.array(["a", "a"])) == -np.inf


def test_risk_is_the_mean_of_the_surest():
    coverage, risk = risk_coverage_curve(np.array([0.2, 0.9, 0.5]), np.array([30.0, 0.0, 6.0]))
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk == pytest.approx([0, 3, 12])
    assert risk_coverage_area(np.array([0.2, 0.9, 0.5]), np.array([30.0, 0.0, 6.0])) == pytest.approx(5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_the_curve_ends_at_the_mean_risk_and_knows_no_order_of_equals(seed):
    rng = np.random.default_rng(seed)
    score, risk = rng.integers(0, 4, 20).astype(float), rng.random(20)
    shuffled = rng.permutation(20)
    one, other = risk_coverage_curve(score, risk), risk_coverage_curve(score[shuffled], risk[shuffled])
    assert one[1] == pytest.approx(other[1])
    assert one[1][-1] == pytest.approx(risk.mean())
    # Nothing orders answers better than what they cost.
    assert risk_coverage_area(-risk, risk) <= risk_coverage_area(score, risk) + 1e-12
