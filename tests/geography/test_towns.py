"""Names of ground: the locality, and the larger town people would add."""

import time

import numpy as np

from geolocate.geography.regions import Region
from geolocate.geography.towns import locality_names, town_names


def test_the_names_that_people_use(uk: Region) -> None:
    lat = [51.456, 53.4809, 57.144, 51.5085]
    lon = [-1.275, -2.2374, -4.68, -0.1257]
    assert town_names(uk, lat, lon).tolist()[:2] == ["Hermitage, Thatcham", "Manchester"]
    assert town_names(uk, lat, lon).tolist()[3] == "London"


def test_outside_every_zone_there_is_no_name(uk: Region) -> None:
    assert town_names(uk, [40.7], [-74.0]).tolist() == [""]


def test_a_locality_has_one_name(uk: Region) -> None:
    places = locality_names(uk)
    assert places["town"].str.startswith(tuple(places["name"].unique())).all()
    at_home = town_names(uk, places["lat"].to_numpy()[:1000], places["lon"].to_numpy()[:1000])
    assert (at_home == places["town"].to_numpy()[:1000]).mean() > 0.99


def test_ten_thousand_positions_take_less_than_two_seconds(uk: Region) -> None:
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(50.5, 55, 10_000), rng.uniform(-4, 0, 10_000)
    start = time.process_time()
    names = town_names(uk, lat, lon)
    assert time.process_time() - start < 2
    assert (names != "").all()
