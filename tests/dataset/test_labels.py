"""Labels of any positions: cell, city, town, admin units, ground."""

import time

import numpy as np
import pandas as pd
import pytest

from geolocate.dataset.labels import LABELS, LabelSettings, label_positions
from geolocate.geography.partition import ground_partition
from geolocate.geography.regions import load_region

UK = load_region("uk")
SETTINGS = LabelSettings(150, 50.0)


def test_the_labels_of_places_that_people_know():
    places = {
        "Croydon": (51.376, -0.098),
        "Salford": (53.483, -2.29),
        "Hermitage": (51.456, -1.275),
        "Derry": (54.998, -7.309),
        "Dublin": (53.35, -6.26),
    }
    asked = pd.DataFrame(places.values(), columns=["lat", "lon"], index=list(places)).assign(note="kept")
    told = label_positions(UK, asked, SETTINGS)
    assert told.columns.tolist() == ["lat", "lon", "note", *LABELS]
    assert told["city_name"].to_dict() == {
        "Croydon": "London",
        "Salford": "Manchester",
        "Hermitage": "",
        "Derry": "Derry",
        "Dublin": "",
    }
    assert told["admin1"].tolist() == ["GB-ENG", "GB-ENG", "GB-ENG", "GB-NIR", ""]
    assert told.loc["Hermitage", "town"] == "Hermitage, Thatcham"
    assert (told.loc["Dublin", LABELS] == "").all()
    assert (told.loc["Croydon", LABELS] != "").all()


def test_the_ground_is_that_of_the_partition():
    rng = np.random.default_rng(0)
    asked = pd.DataFrame({"lat": rng.uniform(52, 53, 500), "lon": rng.uniform(-2, 0, 500)})
    told, ground = label_positions(UK, asked, SETTINGS), ground_partition(UK, asked["lat"], asked["lon"])
    assert told["block_id"].tolist() == ground["block_id"].tolist()
    test = told["part"] == "test"
    assert test.tolist() == (ground["part"] == "test").tolist()
    assert set(told["part"]) == {"train", "val", "calibration", "test", "buffer", "sample"}


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(rows):
    told = label_positions(UK, pd.DataFrame({"lat": [51.5], "lon": [-0.12]}).head(rows), SETTINGS)
    assert told["city_name"].tolist() == ["London"] * rows


def test_a_hundred_thousand_positions_take_seconds():
    rng = np.random.default_rng(1)
    asked = pd.DataFrame({"lat": rng.uniform(51.7, 53.2, 120_000), "lon": rng.uniform(-2.3, -0.3, 120_000)})
    label_positions(UK, asked.head(10), SETTINGS)
    start = time.process_time()
    told = label_positions(UK, asked, SETTINGS)
    assert time.process_time() - start < 12
    assert (told["town"] != "").all()
