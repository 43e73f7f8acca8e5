import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.errors import SettingsError
from geolocate.evaluation.decoding import DECODERS
from geolocate.evaluation.knn import (
    Candidates,
    KnnConfig,
    class_candidates,
    nearest,
    neighbour_weights,
    not_told_apart,
    refine,
    search_index,
)
from geolocate.geography.distances import haversine_km

#: A class in the south, one in the north; two training places each, some kilometres apart.
CLASS_AT = np.array([51.0, 56.0]), np.array([-1.0, -4.0])
GALLERY = np.array([0, 0, 1, 1]), (np.array([50.9, 51.1, 55.9, 56.1]), np.array([-1.0, -1.0, -4.0, -4.0]))


def _unit(features):
    features = np.asarray(features, dtype=np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


FEATURES = _unit([[1, 0.1, 0], [1, -0.1, 0], [0, 0.1, 1], [0, -0.1, 1]])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_the_exact_search_finds_the_greatest_cosines_the_first_first(seed, neighbours):
    rng = np.random.default_rng(seed)
    features, queries = _unit(rng.normal(size=(60, 8))), _unit(rng.normal(size=(5, 8)))
    found = nearest(search_index(features), queries, neighbours)
    cosines = queries @ features.T
    assert found.similarity == pytest.approx(-np.sort(-cosines, axis=1)[:, :neighbours], abs=1e-5)
    assert np.take_along_axis(cosines, found.number, axis=1) == pytest.approx(found.similarity, abs=1e-5)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_approximate_search_finds_most_of_what_the_exact_one_does(kind):
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(40, 16))
    features = _unit(middles[rng.integers(0, 40, 4000)] + rng.normal(size=(4000, 16)) * 0.3)
    queries = _unit(middles[rng.integers(0, 40, 100)] + rng.normal(size=(100, 16)) * 0.3)
    exact, found = (nearest(search_index(features, one), queries, 10).number for one in ("exact", kind))
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, found, strict=True)])
    assert recall > 0.8
    again = nearest(search_index(features, kind), queries, 10).number
    assert (again == found).mean() > 0.99


def test_a_gallery_smaller_than_the_neighbours_asked_for_gives_what_it_has():
    assert nearest(search_index(FEATURES), FEATURES[:1], 50).number.shape == (1, 4)


def test_the_most_alike_image_wins_and_never_the_farthest():
    """Others took the argmax of a distance, and so answered with the image that is least alike."""
    found = nearest(search_index(FEATURES), FEATURES[:1], 4)
    weights = neighbour_weights(np.full((1, 2), 0.5), found, GALLERY[0], softness=0.05)
    assert found.number[0, weights[0].argmax()] == 0
    assert (np.diff(weights[0]) <= 0).all()
    candidates = _refined(np.full((1, 2), 0.5), found, KnnConfig(share=1.0, softness=0.001))
    for decode in DECODERS.values():
        lat, lon = decode(candidates.weight, candidates.lat, candidates.lon)
        assert float(haversine_km(lat[0], lon[0], 50.9, -1.0)) < 1


def test_a_look_alike_far_from_what_the_model_believes_moves_little():
    found = nearest(search_index(FEATURES), _unit([[1, 0, 1]]), 4)  # as like the south as the north
    weights = neighbour_weights(np.array([[0.99, 0.01]]), found, GALLERY[0], softness=0.05)
    assert weights[0][np.isin(found.number[0], (0, 1))].sum() == pytest.approx(0.99, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0.01, 1), st.floats(1e-3, 1e3))
def test_candidates_are_of_one_whole_whatever_the_posterior_sums_to(seed, share, softness, factor):
    rng = np.random.default_rng(seed)
    posterior, queries = rng.dirichlet([0.5, 0.5], size=3), _unit(rng.normal(size=(3, 3)))
    found, config = nearest(search_index(FEATURES), queries, 3), KnnConfig(share, 3, softness)
    one, other = (_refined(scaled, found, config) for scaled in (posterior, posterior * factor))
    assert one.weight.sum(axis=1) == pytest.approx(np.ones(3))
    assert (one.weight >= 0).all()
    assert one.weight == pytest.approx(other.weight, abs=1e-6)
    assert one.lat.shape == one.lon.shape == one.weight.shape == (3, 5)


def test_a_share_of_nothing_leaves_the_belief_as_it_is():
    posterior = np.array([[0.7, 0.3]])
    found = nearest(search_index(FEATURES), FEATURES[:1], 2)
    candidates = _refined(posterior, found, KnnConfig(share=0.0))
    alone = DECODERS["least_expected_distance"](posterior, *CLASS_AT)
    refined = DECODERS["least_expected_distance"](candidates.weight, candidates.lat, candidates.lon)
    assert float(haversine_km(*alone, *refined)[0]) < 1e-3


def test_a_config_that_says_nothing_sensible_is_refused():
    for wrong in ({"share": 1.5}, {"neighbours": 0}, {"softness": 0.0}):
        with pytest.raises(SettingsError, match="share lies between 0 and 1"):
            KnnConfig(**wrong)


def _refined(posterior, found, config):
    classes, (lat, lon) = GALLERY
    weights = neighbour_weights(posterior, found, classes, config.softness)
    near = Candidates(weights, lat[found.number], lon[found.number])
    return refine(class_candidates(posterior, *CLASS_AT), near, config.share)


def test_what_is_within_one_standard_error_of_the_nearest_is_not_told_apart():
    """6 km more on average, 10 km to and fro: an error of 5 km for four places, of 7.1 km where two are alike."""
    km = 100.0 + np.array([[0, 0, 0, 0], [-4, -4, 16, 16], [30, 31, 30, 31]])
    assert not_told_apart(km, np.array(["a", "b", "c", "d"])).tolist() == [True, False, False]
    assert not_told_apart(km, np.array(["a", "a", "b", "b"])).tolist() == [True, True, False]
    assert not_told_apart(km[:1], np.array(["a"] * 4)).tolist() == [True]
