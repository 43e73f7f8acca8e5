import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.evaluation.decoding import (
    DECODERS,
    argmax,
    entropy,
    expected_km,
    least_expected_distance,
    locality,
    radius_holding,
    weighted,
)
from geolocate.geography.distances import geometric_median, haversine_km

LAT = np.array([51.5, 53.5, 55.9, 50.4])
LON = np.array([-0.1, -2.2, -3.2, -4.1])


def _posterior(seed: int, places: int, classes: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(classes, 0.4), size=places)


def test_argmax_answers_with_the_most_probable_class_position():
    lat, lon = argmax(np.array([[0.1, 0.2, 0.6, 0.1]]), LAT, LON)
    assert (lat[0], lon[0]) == (55.9, -3.2)


def test_a_certain_posterior_is_answered_with_that_class_by_both_decoders():
    for decode in DECODERS.values():
        lat, lon = decode(np.eye(4), LAT, LON)
        assert haversine_km(lat, lon, LAT, LON).max() < 1e-3


def test_two_equally_likely_classes_leave_the_choice_between_them():
    at = least_expected_distance(np.array([[0.5, 0.5, 0, 0]]), LAT, LON)
    apart = float(haversine_km(LAT[0], LON[0], LAT[1], LON[1]))
    assert expected_km(np.array([[0.5, 0.5, 0, 0]]), LAT, LON, at)[0] == pytest.approx(apart / 2, abs=1e-3)


def test_a_majority_class_is_the_median_as_in_one_dimension():
    lat, lon = least_expected_distance(np.array([[0.6, 0.2, 0.1, 0.1]]), LAT, LON)
    assert float(haversine_km(lat[0], lon[0], LAT[0], LON[0])) < 1e-3


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9))
def test_no_point_of_a_fine_grid_has_a_smaller_expected_distance(seed, classes):
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(50, 59, classes), rng.uniform(-7, 2, classes)
    posterior = _posterior(seed, 1, classes)
    found = expected_km(posterior, lat, lon, least_expected_distance(posterior, lat, lon))[0]
    grid_lat, grid_lon = (axis.ravel() for axis in np.meshgrid(np.linspace(49.9, 59.1, 40), np.linspace(-7.1, 2.1, 40)))
    everywhere = expected_km(np.repeat(posterior, len(grid_lat), axis=0), lat, lon, (grid_lat, grid_lon))
    at_classes = expected_km(np.repeat(posterior, classes, axis=0), lat, lon, (lat, lon))
    assert found <= min(everywhere.min(), at_classes.min()) + 1e-3


def test_decoding_in_portions_changes_nothing():
    posterior = _posterior(3, 1100, 4)
    whole = least_expected_distance(posterior, LAT, LON)
    single = [least_expected_distance(posterior[at : at + 1], LAT, LON) for at in (0, 511, 512, 1099)]
    for (lat, lon), at in zip(single, (0, 511, 512, 1099), strict=True):
        assert (lat[0], lon[0]) == pytest.approx((whole[0][at], whole[1][at]), abs=1e-6)


def test_no_places_are_decoded_to_no_positions():
    lat, lon = least_expected_distance(np.empty((0, 4)), LAT, LON)
    assert lat.shape == lon.shape == (0,)


def test_classes_either_side_of_the_antimeridian_meet_there():
    _, lon = least_expected_distance(np.array([[0.5, 0.5]]), np.array([52.0, 52.0]), np.array([179.0, -179.0]))
    assert abs(lon[0]) >= 179.0


def test_the_spread_is_zero_when_sure_and_grows_with_doubt():
    sure, torn = np.array([[1.0, 0, 0, 0]]), np.array([[0.4, 0.3, 0.2, 0.1]])
    radii = []
    for posterior in (sure, torn):
        at = least_expected_distance(posterior, LAT, LON)
        radii.append(radius_holding(0.9, posterior, LAT, LON, at)[0])
        assert radius_holding(0.5, posterior, LAT, LON, at)[0] <= radii[-1]
    assert radii[0] < 1e-3 < 100 < radii[1]
    assert entropy(sure)[0] == 0
    assert entropy(np.full((1, 4), 0.25))[0] == pytest.approx(np.log(4))


def test_a_class_that_is_almost_the_median_is_left_all_the_same():
    # Here the iteration needs hundreds of steps; after 200 the expected distance was still 1 km too long.
    rng = np.random.default_rng(177)
    lat, lon = rng.uniform(50, 59, 5), rng.uniform(-7, 2, 5)
    lat[:3], lon[:3] = lat[0], lon[0]
    weight = rng.uniform(0.1, 3, 5)
    posterior = (weight / weight.sum())[None]
    found = expected_km(posterior, lat, lon, least_expected_distance(posterior, lat, lon))[0]
    best = geometric_median(lat, lon, weight)
    assert found <= expected_km(posterior, lat, lon, (np.array(best[:1]), np.array(best[1:])))[0] + 1e-3


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(DECODERS)), st.integers(0, 10_000), st.integers(1, 4))
def test_candidates_of_each_place_are_decoded_as_if_they_were_those_of_all(name, seed, places):
    posterior = _posterior(seed, places, 4)
    shared = DECODERS[name](posterior, LAT, LON)
    own = DECODERS[name](posterior, np.tile(LAT, (places, 1)), np.tile(LON, (places, 1)))
    assert haversine_km(*shared, *own).max() < 1e-3


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(DECODERS)), st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_a_posterior_need_not_sum_to_one(name, seed, factor):
    posterior = _posterior(seed, 2, 4)
    one, other = (DECODERS[name](scaled, LAT, LON) for scaled in (posterior, posterior * factor))
    assert haversine_km(*one, *other).max() < 1e-3


def test_each_place_has_candidates_of_its_own():
    lat = np.array([[51.0, 52.0], [53.0, 54.0]])
    found = argmax(np.array([[0.9, 0.1], [0.2, 0.8]]), lat, np.zeros((2, 2)))
    assert found[0].tolist() == [51.0, 54.0]


def test_locality_answers_with_the_neighbourhood_and_not_with_the_fields_between():
    # Two suburbs 0.2 degrees of latitude (22 km) apart share 0.6, a far city has 0.4 and is the most probable one.
    lat, lon = np.array([51.4, 51.6, 55.9]), np.array([0.0, 0.0, -3.0])
    posterior = np.array([[0.3, 0.3, 0.4]])
    found = locality(posterior, lat, lon, radius_km=30)
    assert (found[0][0], found[1][0]) == pytest.approx((51.5, 0.0), abs=1e-6)
    assert argmax(posterior, lat, lon)[0][0] == 55.9
    assert 51.6 < weighted(posterior, lat, lon)[0][0] < 55.9
    # A neighbourhood of its own only: the most probable candidate.
    assert locality(posterior, lat, lon, radius_km=1)[0][0] == pytest.approx(55.9)


def test_the_weighted_mean_lies_where_it_is_worked_out_by_hand():
    # Three quarters of the way on the chord from (0, 0) to (0, 90): atan2(3, 1).
    found = weighted(np.array([[0.25, 0.75]]), np.zeros(2), np.array([0.0, 90.0]))
    assert (found[0][0], found[1][0]) == pytest.approx((0.0, np.degrees(np.arctan2(3, 1))))


def test_antipodes_that_cancel_out_leave_the_more_probable_one():
    lat, lon = weighted(np.array([[0.5, 0.5]]), np.array([10.0, -10.0]), np.array([0.0, 180.0]))
    assert (lat[0], lon[0]) == pytest.approx((10.0, 0.0))
