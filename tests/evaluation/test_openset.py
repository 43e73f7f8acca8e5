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
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.floats(0, 0.9))
def test_no_larger_share_of_genuine_places_is_refused_than_was_allowed(scores, share):
    values = np.array(scores)
    limit = refusal_threshold(values, np.arange(len(values)), share)
    assert (values < limit).mean() <= share + 1e-9
    assert (values <= limit).mean() >= share - 1e-9


def test_a_block_of_many_places_does_not_set_the_limit_alone():
    # Ninety places of one block are dull, each of nine blocks has one bright place: a tenth of the blocks is refused.
    scores = np.array([0.0] * 90 + [1.0] * 9)
    blocks = np.array([0] * 90 + list(range(1, 10)))
    assert refusal_threshold(scores, blocks, 0.1) == 1.0
    assert refusal_threshold(scores, np.arange(99), 0.1) == 0.0
    assert refusal_threshold(np.empty(0), np.empty(0)) == -np.inf


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
