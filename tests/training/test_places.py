"""What is learned from at once: one view, all views of a panorama, or any of them."""

import numpy as np
import pandas as pd
import pytest

from geolocate.training.config import TrainConfig
from geolocate.training.places import places_of
from geolocate.training.samples import Samples

SIZES = [3, 1, 2]


@pytest.fixture
def samples():
    rows = pd.DataFrame(
        [
            {"panorama_id": f"p{number}", "heading": 90.0 * view, "lat": 50.0 + number, "lon": 0.0, "sha256": "0"}
            for number, size in enumerate(SIZES)
            for view in range(size)
        ]
    )
    return Samples(rows, rows["panorama_id"].str[1:].astype(int).to_numpy())


def _drawn(samples, views, seed=0):
    places = places_of(samples, TrainConfig(views=views), None).drawn(np.random.default_rng(seed))
    return [place.tolist() for place in places.views]


def test_single_views_and_whole_panoramas_are_never_drawn(samples):
    assert _drawn(samples, "single") == [[0], [1], [2], [3], [4], [5]]
    assert _drawn(samples, "all") == [[0, 1, 2], [3], [4, 5]]


def test_any_views_begin_with_each_view_and_stay_within_its_panorama(samples):
    for seed in range(20):
        drawn = _drawn(samples, "any", seed)
        assert [place[0] for place in drawn] == [0, 1, 2, 3, 4, 5]
        for place in drawn:
            assert len(set(place)) == len(place)
            assert samples.classes[place].tolist() == [samples.classes[place[0]]] * len(place)


def test_any_number_of_views_is_drawn_as_often(samples):
    sizes = [len(_drawn(samples, "any", seed)[0]) for seed in range(600)]
    assert np.bincount(sizes)[1:] == pytest.approx([200, 200, 200], abs=45)


def test_an_epoch_s_draw_is_its_own_and_can_be_repeated(samples):
    assert _drawn(samples, "any", 1) == _drawn(samples, "any", 1)
    assert len({str(_drawn(samples, "any", seed)) for seed in range(10)}) > 5
