"""Which places are classes of their own: the rule alone in the UK, the rule and its overrides in the US."""

from pathlib import Path

import pandas as pd
import pytest

from geolocate.errors import PlanError, RegionError
from geolocate.geography.places import dropped_places, load_places, top_places
from geolocate.geography.regions import Region
from geolocate.geography.suburbs import merge_suburbs

LONDON, NEW_YORK = "2643743", "5128581"


@pytest.fixture(scope="module")
def british(uk: Region, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    none = tmp_path_factory.mktemp("none") / "overrides.csv"
    none.write_text("place_id,parent_id,reason\n")
    return merge_suburbs(uk, top_places(uk, 150), none)


@pytest.mark.parametrize(
    ("suburb", "city"),
    [
        ("Salford", "Manchester"),
        ("Gateshead", "Newcastle upon Tyne"),
        ("West Bromwich", "Birmingham"),
        ("Wembley", "London"),
    ],
)
def test_suburbs_join_their_city(british: pd.DataFrame, suburb: str, city: str) -> None:
    row = british[british["name"] == suburb].iloc[0]
    assert row["parent_name"] == city
    assert row["reason"]


@pytest.mark.parametrize(
    "name",
    [
        *("Aberdeen", "Norwich", "South Shields", "Blackpool", "Grays", "Weston-super-Mare"),
        *("Liverpool", "Poole", "York", "Birmingham", "Manchester", "Watford"),
    ],
)
def test_cities_stay_their_own(british: pd.DataFrame, name: str) -> None:
    row = british[british["name"] == name].iloc[0]
    assert row["parent_id"] == row["place_id"]
    assert row["distance_km"] == 0


def test_greater_london_is_london_and_nothing_else_is(uk: Region, british: pd.DataFrame) -> None:
    places = top_places(uk, 150).set_index("place_id")
    # GeoNames' own list of what lies in Greater London, made without the polygons that decide here.
    listed = {place for place in places.index if places["county"][place] == "Greater London"}
    merged = set(british.loc[british["parent_id"] == LONDON, "place_id"]) - {LONDON}
    assert len(listed) > 20
    assert merged == listed - {LONDON}


def test_parents_are_classes_and_the_shipped_table_of_the_uk_is_empty(uk: Region, british: pd.DataFrame) -> None:
    classes = set(british.loc[british["parent_id"] == british["place_id"], "place_id"])
    assert set(british["parent_id"]) == classes
    assert len(classes) == 119
    pd.testing.assert_frame_equal(merge_suburbs(uk, top_places(uk, 150)), british)


def test_the_order_of_the_places_does_not_matter(uk: Region, british: pd.DataFrame) -> None:
    shuffled = top_places(uk, 150).sample(frac=1, random_state=3)
    again = merge_suburbs(uk, shuffled).sort_values("place_id", ignore_index=True)
    pd.testing.assert_frame_equal(again, british.sort_values("place_id", ignore_index=True))


def test_boroughs_join_new_york_and_namesakes_stay_apart(us: Region) -> None:
    merged = merge_suburbs(us, top_places(us, 200))
    boroughs = merged[merged["name"].isin(["Brooklyn", "Queens", "Manhattan", "The Bronx", "Staten Island"])]
    assert boroughs["parent_id"].tolist() == [NEW_YORK] * 5
    own = merged[merged["parent_id"] == merged["place_id"]]
    for name in ("Oakland", "Newark", "Long Beach", "Fort Worth", "Jersey City"):
        assert name in own["name"].tolist()
    for name in ("Columbus", "Aurora", "Arlington", "Glendale"):
        assert own.loc[own["name"] == name, "place_id"].nunique() == 2, name


def test_an_override_takes_precedence(uk: Region, tmp_path: Path) -> None:
    places = top_places(uk, 150)
    by_name = places.set_index("name")["place_id"]
    table = tmp_path / "overrides.csv"
    table.write_text(
        f"place_id,parent_id,reason\n{by_name['Salford']},{by_name['Salford']},its own city\n"
        f"{by_name['Poole']},{by_name['Bournemouth']},one conurbation\n"
    )
    merged = merge_suburbs(uk, places, table).set_index("name")
    assert merged["parent_name"][["Salford", "Poole"]].tolist() == ["Salford", "Bournemouth"]
    assert merged["reason"]["Poole"] == "override: one conurbation"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("place_id,parent_id,reason\n999,2643743,typo\n", "999"),
        ("place_id,reason\n1,x\n", "parent_id"),
        ("", "overrides"),
    ],
)
def test_a_wrong_override_table_is_refused(uk: Region, tmp_path: Path, text: str, told: str) -> None:
    table = tmp_path / "overrides.csv"
    table.write_text(text)
    with pytest.raises(RegionError, match=told) as caught:
        merge_suburbs(uk, top_places(uk, 10), table)
    assert "\n" not in str(caught.value)


def test_bogus_rows_are_dropped_with_a_reason(uk: Region) -> None:
    dropped = dropped_places(uk).set_index("name")["reason"]
    assert {"Mendip", "Fylde", "High Peak", "Londonderry County Borough"} <= set(dropped.index)
    assert dropped.str.len().gt(5).all()
    names = top_places(uk, 150)["name"].tolist()
    assert "Derry" in names
    assert not {"Mendip", "Fylde", "High Peak", "Londonderry County Borough"} & set(names)


def test_dropped_rows_exist_in_the_gazetteer(uk: Region, us: Region) -> None:
    for region in (uk, us):
        assert set(dropped_places(region)["place_id"]) <= set(load_places(region)["place_id"])


@pytest.mark.parametrize("top", [0, -1, 100_000])
def test_more_cities_than_there_are(uk: Region, top: int) -> None:
    with pytest.raises(PlanError, match=rf"top {top}: .*choose 1 to \d+") as caught:
        top_places(uk, top)
    assert "\n" not in str(caught.value)
