"""A system that says how often it is right is believed only if it is."""

import numpy as np
import pytest

from geolocate.evaluation.sureness import sureness


def answers(truth_of, count=4000):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.05, 1.0, count)
    correct = rng.random(count) < truth_of(confidence)
    km = np.where(correct, 5.0, 200.0)
    return confidence, correct, km, np.arange(count) // 4


def test_who_is_as_often_right_as_it_says_has_almost_no_error_and_who_boasts_has_one():
    honest = sureness(*answers(lambda confidence: confidence))["ece"]
    boasting = sureness(*answers(lambda confidence: confidence / 2))["ece"]
    assert honest["value"] < 0.03
    assert boasting["value"] == pytest.approx(0.26, abs=0.03)
    assert boasting["low"] <= boasting["value"] <= boasting["high"]


def test_by_hand():
    confidence, correct = np.array([0.95, 0.95, 0.15, 0.15]), np.array([True, False, False, False])
    found = sureness(confidence, correct, np.array([1.0, 2.0, 3.0, 10.0]), np.arange(4))
    assert found["ece"]["value"] == pytest.approx((2 * 0.45 + 2 * 0.15) / 4)
    assert [one["panoramas"] for one in found["reliability"]] == [2, 2]
    risk = {one["coverage"]: one["mean_km"] for one in found["risk_coverage"]}
    assert (risk[0.1], risk[0.5], risk[1.0]) == (1.0, 1.5, 4.0)


def test_the_surest_err_least():
    risk = sureness(*answers(lambda confidence: confidence))["risk_coverage"]
    km = [one["mean_km"] for one in risk]
    assert km == sorted(km)


def test_without_confidence_nothing_is_claimed():
    assert sureness(np.array([np.nan, 0.5]), np.array([True, True]), np.zeros(2), np.arange(2)) is None
