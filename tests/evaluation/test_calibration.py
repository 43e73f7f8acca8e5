import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.evaluation.calibration import calibration_error, fit_calibration, log_loss, scaled


def _posterior(seed: int, places: int = 40, classes: int = 6, sureness: float = 1.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (places, classes)) * sureness
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)


def test_a_temperature_of_two_takes_the_square_root():
    # 0.9 : 0.1 becomes 3 : 1.
    assert scaled(np.array([[0.9, 0.1]]), 2.0)[0] == pytest.approx([0.75, 0.25])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 20))
def test_a_temperature_keeps_rows_whole_and_the_order_of_the_classes(seed, temperature):
    posterior = _posterior(seed)
    found = scaled(posterior, temperature)
    assert found.sum(axis=1) == pytest.approx(np.ones(40))
    assert (found.argmax(axis=1) == posterior.argmax(axis=1)).all()


@pytest.mark.parametrize("boast", [3.0, 1 / 3])
def test_sureness_that_was_multiplied_is_divided_again(boast):
    rng = np.random.default_rng(1)
    honest = _posterior(0, places=4000)
    classes = np.array([rng.choice(6, p=row) for row in honest])
    found = fit_calibration(scaled(honest, 1 / boast), classes)
    assert found.temperature == pytest.approx(boast, rel=0.1)
    assert found.nll_after < found.nll_before
    assert found.ece_after < 0.03 < found.ece_before


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_calibrating_what_is_calibrated_changes_nothing(seed):
    posterior, classes = _posterior(seed), np.random.default_rng(seed).integers(0, 6, 40)
    first = fit_calibration(posterior, classes)
    again = fit_calibration(scaled(posterior, first.temperature), classes)
    inside = -1.9 < np.log(first.temperature) < 4.9
    assert not inside or again.temperature == pytest.approx(1.0, abs=0.05)


def test_a_model_that_was_right_about_a_few_is_not_made_sure_of_everything():
    found = fit_calibration(np.array([[0.6, 0.4], [0.7, 0.3]]), np.array([0, 0]))
    assert found.temperature > 0.1
    assert np.isfinite(found.nll_after)


def test_without_places_nothing_is_changed_and_unknown_classes_are_left_out():
    assert fit_calibration(np.empty((0, 3)), np.empty(0, int)).temperature == 1.0
    posterior = _posterior(3)
    classes = posterior.argmin(axis=1)
    with_unknown = fit_calibration(np.vstack([posterior, posterior]), np.concatenate([classes, np.full(40, -1)]))
    assert with_unknown == fit_calibration(posterior, classes)


def test_the_calibration_error_is_the_gap_that_is_worked_out_by_hand():
    # Two answers at 0.95 of which one is right, two at 0.55 of which both are: (2 × 0.45 + 2 × 0.45) / 4.
    found = calibration_error(np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, False, True, True]))
    assert found == pytest.approx(0.45)


def test_what_is_answered_with_is_calibrated_and_not_what_went_into_it():
    """Half of the say is somebody's who is always sure: the rest has to be less sure than it would be alone."""
    rng = np.random.default_rng(0)
    posterior = _posterior(400)
    classes = np.array([rng.choice(len(row), p=row) for row in posterior])
    sure = np.eye(posterior.shape[1])[posterior.argmax(axis=1)]
    mixed = fit_calibration(posterior, classes, lambda one: 0.5 * scaled(posterior, one) + 0.5 * sure)
    alone = fit_calibration(posterior, classes)
    assert mixed.temperature > 1.2 * alone.temperature
    as_it_was = 0.5 * scaled(posterior, alone.temperature) + 0.5 * sure
    assert mixed.nll_after < log_loss(as_it_was, classes)
