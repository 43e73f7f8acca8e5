"""A class is an id; its name and caption tell it from its namesakes."""

import pandas as pd

from geolocate.dataset.classes import classes_at
from geolocate.dataset.labels import LabelSettings, label_panoramas, merged_cities
from geolocate.geography.places import top_places
from geolocate.geography.regions import load_region


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
    names = merged_cities(region, settings).drop_duplicates("parent_id").set_index("parent_id")["parent_name"]
    assert labels["city"].iloc[2] == ""  # the north-west Highlands are out of every city's reach
    assert list(labels["city"].map(names))[:2] == ["London", "Manchester"]  # Croydon and Salford


def positions(*points):
    return pd.DataFrame([{"source_id": str(i), "lat": lat, "lon": lon} for i, (lat, lon) in enumerate(points)])
