"""Distances on the sphere, against known ones and against properties that any distance has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.geography.distances import EARTH_RADIUS_KM, geometric_median, haversine_km, nearest_km

LATS = st.floats(-90, 90)
LONS = st.floats(-180, 180)


def test_known_distances() -> None:
    assert haversine_km(0, 0, 0, 180) == pytest.approx(np.pi * EARTH_RADIUS_KM)
    assert haversine_km(51.5007, -0.1246, 40.6892, -74.0445) == pytest.approx(5574.8, abs=0.2)
    assert haversine_km([0, 0], [0, 0], [1, 0], [0, 1]) == pytest.approx([111.195, 111.195], abs=1e-3)


@given(LATS, LONS, LATS, LONS)
def test_symmetric_bounded_and_the_same_by_chord(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    distance = float(haversine_km(lat1, lon1, lat2, lon2))
    assert 0 <= distance <= np.pi * EARTH_RADIUS_KM + 1e-6
    assert distance == pytest.approx(float(haversine_km(lat2, lon2, lat1, lon1)))
    assert distance == pytest.approx(float(nearest_km([lat1], [lon1], [lat2], [lon2])[0]), abs=0.5, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(50, 58), st.floats(-6, 2)), min_size=1, max_size=12))
def test_no_nearby_point_beats_the_median(points: list[tuple[float, float]]) -> None:
    lat, lon = np.array(points).T
    median_lat, median_lon = geometric_median(lat, lon)
    best = haversine_km(median_lat, median_lon, lat, lon).sum()
    others = [(median_lat + dy, median_lon + dx) for dy in (-0.1, 0, 0.1) for dx in (-0.1, 0, 0.1)]
    others += points
    assert all(best <= haversine_km(a, b, lat, lon).sum() + 0.05 for a, b in others)


def test_the_median_follows_the_weights_and_crosses_180_degrees() -> None:
    assert geometric_median([50, 55], [0, 0], [3, 1]) == pytest.approx((50, 0), abs=1e-6)
    lat, lon = geometric_median([10, 10, 10], [179.0, -179.0, 180.0])
    assert (lat, abs(lon)) == pytest.approx((10, 180), abs=0.01)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [1.0]])
def test_weights_must_make_sense(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        geometric_median([50, 51], [0, 0], weights)
    with pytest.raises(ValueError, match="0 positions"):
        geometric_median([], [])
