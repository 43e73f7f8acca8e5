"""A class is an id; its name and caption tell it from its namesakes."""

import pandas as pd
import pytest

from geolocate.dataset.classes import check_level, classes_at
from geolocate.dataset.labels import LabelSettings, label_panoramas
from geolocate.errors import DatasetError
from geolocate.geography.places import top_places
from geolocate.geography.regions import load_region
from geolocate.geography.towns import locality_names


def test_namesakes_are_told_apart_by_their_state():
    region = load_region("us")
    places = top_places(region, 150)
    columbus = places[places["name"] == "Columbus"]
    assert len(columbus) == 2
    classes = classes_at("city", region, sorted(columbus["place_id"]), 0)
    assert set(classes["class_name"]) == {"Columbus, Ohio", "Columbus, Georgia"}


def test_a_cell_is_named_after_the_town_at_its_middle():
    region = load_region("uk")
    cells = label_panoramas(region, positions((51.456, -1.275), (57.5, -4.5)), LabelSettings(50, 50.0))["cell"]
    classes = classes_at("cell", region, sorted(cells), 50.0)
    assert classes["caption"].str.fullmatch("City: .+").all()
    assert classes["class_name"].is_unique


def test_a_panorama_goes_by_its_own_position():
    region, settings = load_region("uk"), LabelSettings(150, 50.0)
    labels = label_panoramas(region, positions((51.376, -0.098), (53.483, -2.29), (57.2, -5.2)), settings)
    names = top_places(region, 150).set_index("place_id")["name"]
    assert labels["city"].iloc[2] == ""  # the north-west Highlands are out of every city's reach
    assert list(labels["city"].map(names))[:2] == ["London", "Manchester"]  # Croydon and Salford


@pytest.mark.parametrize("name", ["uk", "us"])
def test_every_town_of_a_country_has_a_name_of_its_own(name):
    region = load_region(name)
    localities = locality_names(region)
    classes = classes_at("town", region, sorted(localities["place_id"]), 0)
    assert len(classes) == len(localities) > 5000
    assert classes["class_name"].is_unique
    towns = localities.set_index("place_id")["town"]
    plain = classes["class_name"].to_numpy() == towns.loc[classes["class_id"]].to_numpy()
    assert plain.mean() > 0.9  # only namesakes carry more


def test_a_town_is_named_as_people_do_and_its_class_is_the_locality():
    region = load_region("uk")
    labels = label_panoramas(region, positions((51.456, -1.275), (51.457, -1.276)), LabelSettings(50, 50.0))
    classes = classes_at("town", region, sorted(set(labels["town_id"])), 0)
    assert classes["caption"].tolist() == ["City: Hermitage, Thatcham"]


def test_the_region_says_which_levels_it_offers():
    region = load_region("uk").model_copy(update={"levels": ("cell", "city")})
    check_level(region, "city")
    with pytest.raises(DatasetError, match="level 'town': region 'uk' offers cell, city; choose one of them"):
        check_level(region, "town")


def positions(*points):
    return pd.DataFrame([{"panorama_id": str(i), "lat": lat, "lon": lon} for i, (lat, lon) in enumerate(points)])
