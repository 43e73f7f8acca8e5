"""Captions say what is known, drop what chance says, and say the same whatever the order of the rows."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.dataset.captions import (
    PARTS,
    Dropping,
    class_captions,
    class_facts,
    country_prompt,
    image_captions,
    month_of,
    wind,
)
from geolocate.dataset.classes import classes_at
from geolocate.errors import DatasetError
from geolocate.geography.climates import climates_at
from geolocate.geography.grids import cell_ids
from geolocate.geography.places import top_places
from geolocate.geography.regions import load_region

UK = load_region("uk")


def facts_of(region, *names, level="city"):
    places = top_places(region, 150).set_index("name", drop=False)
    classes = classes_at(level, region, list(places.loc[list(names), "place_id"]), 50.0)
    return class_facts(region, level, classes, 50.0)


@pytest.fixture(scope="module")
def rows():
    ids = facts_of(UK, "Leeds", "Cardiff")["class_id"]
    return pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "class_id": [ids[0], ids[1], ids[0]],
            "heading": [92.0, None, 340.0],
            "captured": ["2019-06", None, "2021-11-30"],
        }
    )


def test_the_study_and_streetclip_are_quoted_word_for_word():
    facts = facts_of(UK, "Leeds")
    assert class_captions("study", UK, facts) == ["City: Leeds"]
    assert class_captions("streetclip", UK, facts) == ["A Street View photo from Leeds."]
    assert country_prompt("Wales") == "A Street View photo in Wales."


def test_a_rich_caption_tells_ground_climate_and_driving_side_once_each():
    [leeds] = class_captions("rich", UK, facts_of(UK, "Leeds"))
    assert leeds == (
        "A Street View photo from Leeds, England, United Kingdom, in a temperate climate, "
        "where traffic keeps to the left."
    )
    columbus = class_captions("rich", load_region("us"), facts_of(load_region("us"), "Columbus"))
    assert all(caption.count("Ohio") + caption.count("Georgia") == 1 for caption in columbus)
    assert all("keeps to the right" in caption for caption in columbus)


def test_a_picture_has_its_heading_and_month(rows):
    captions = image_captions(UK, facts_of(UK, "Leeds", "Cardiff"), rows, Dropping())
    assert captions[0].endswith("looking east, in June.")
    assert captions[2].endswith("looking north, in November.")
    assert "looking" not in captions[1]
    assert captions[1].startswith("A Street View photo from Cardiff, Wales")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_what_is_dropped_depends_on_seed_and_picture_only(rows, seed, share):
    facts, dropping = facts_of(UK, "Leeds", "Cardiff"), Dropping(seed, share)
    captions = image_captions(UK, facts, rows, dropping)
    backwards = image_captions(UK, facts, rows.iloc[::-1], dropping)
    assert captions == backwards[::-1]
    whole = image_captions(UK, facts, rows, Dropping())
    for short, long in zip(captions, whole, strict=True):
        parts = iter(long.removesuffix(".").split(", "))
        assert all(part in parts for part in short.removesuffix(".").split(", "))  # a subsequence, the name first


def test_parts_are_dropped_as_often_as_asked():
    dropping = Dropping(seed=3, share=0.3)
    kept = [len(dropping.kept(str(number), list(PARTS))) for number in range(2000)]
    assert sum(kept) / (2000 * len(PARTS)) == pytest.approx(0.7, abs=0.015)
    assert dropping.kept("a", list(PARTS)) != Dropping(seed=4, share=0.3).kept("a", list(PARTS))


def test_a_regions_file_may_word_a_part_anew():
    region = UK.model_copy(update={"captions": {**UK.captions, "rich_side": "driving on the {side}"}})
    [caption] = class_captions("rich", region, facts_of(UK, "Leeds"))
    assert caption.endswith("driving on the left.")


def test_cells_are_told_by_the_locality_at_their_middle():
    classes = classes_at("cell", UK, [str(cell_ids(UK, 50.0, [53.8], [-1.55])[0])], 50.0)
    [facts] = class_facts(UK, "cell", classes, 50.0).to_dict(orient="records")
    assert facts["admin1"] == "England"
    assert facts["name"] == classes["class_name"].iloc[0]


def test_climates_are_those_of_the_world():
    cities = {"London": (51.5, -0.1), "Phoenix": (33.4, -112.1), "Miami": (25.8, -80.2), "Fairbanks": (64.8, -147.7)}
    lat, lon = zip(*cities.values(), strict=True)
    assert list(climates_at(lat, lon)) == ["temperate", "arid", "tropical", "cold"]
    assert climates_at([51.0], [180.0])[0]


def test_mistakes_are_one_line(rows):
    with pytest.raises(DatasetError, match="unknown caption style 'poem': choose one of study, streetclip, rich"):
        class_captions("poem", UK, facts_of(UK, "Leeds"))
    with pytest.raises(DatasetError, match="is not among the facts"):
        image_captions(UK, facts_of(UK, "Leeds"), rows, Dropping())
    with pytest.raises(DatasetError, match="choose 0 to 1"):
        Dropping(0, 1.5)


@pytest.mark.parametrize(("heading", "named"), [(0, "north"), (359.9, "north"), (44, "north-east"), (-90, "west")])
def test_winds(heading, named):
    assert wind(heading) == named


@pytest.mark.parametrize(("captured", "month"), [("2019-06", "June"), ("2019", ""), (None, ""), ("2019-13", "")])
def test_months(captured, month):
    assert month_of(captured) == month
