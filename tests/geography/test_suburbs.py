"""Which places are classes of their own: the rule alone in the UK, the rule and its overrides in the US."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geolocate.errors import PlanError, RegionError
from geolocate.geography.distances import haversine_km
from geolocate.geography.places import dropped_places, load_places, real_places, top_places
from geolocate.geography.regions import Region, load_region
from geolocate.geography.suburbs import city_radius_km, merge_suburbs

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
    assert len(classes) == 118
    pd.testing.assert_frame_equal(merge_suburbs(uk, top_places(uk, 150)), british)


def test_the_order_of_the_places_does_not_matter(uk: Region, british: pd.DataFrame) -> None:
    shuffled = top_places(uk, 150).sample(frac=1, random_state=3)
    again = merge_suburbs(uk, shuffled).sort_values("place_id", ignore_index=True)
    pd.testing.assert_frame_equal(again, british.sort_values("place_id", ignore_index=True))


@pytest.fixture(scope="module")
def american(us: Region) -> pd.DataFrame:
    return merge_suburbs(us, top_places(us, 160))


@pytest.mark.parametrize(
    ("suburb", "city"),
    [
        *((name, "New York City") for name in ("Brooklyn", "Queens", "Manhattan", "The Bronx", "Staten Island")),
        *((name, "Las Vegas") for name in ("Paradise", "Sunrise Manor", "Spring Valley", "North Las Vegas")),
        *(("South Boston", "Boston"), ("New South Memphis", "Memphis"), ("West Raleigh", "Raleigh")),
        *(("Maryvale", "Phoenix"), ("Upper West Side", "New York City"), ("East Chattanooga", "Chattanooga")),
    ],
)
def test_quarters_join_their_city(us: Region, suburb: str, city: str) -> None:
    merged = merge_suburbs(us, top_places(us, 190)).set_index("name")
    assert merged.loc[suburb, "parent_name"] == city


@pytest.mark.parametrize("name", ["Oakland", "Newark", "Long Beach", "Fort Worth", "Jersey City", "Memphis"])
def test_american_cities_stay_their_own(american: pd.DataFrame, name: str) -> None:
    assert name in american.loc[american["place_id"] == american["parent_id"], "name"].tolist()


@pytest.mark.parametrize("name", ["Columbus", "Aurora", "Arlington", "Glendale"])
def test_namesakes_stay_apart(american: pd.DataFrame, name: str) -> None:
    own = american[american["parent_id"] == american["place_id"]]
    assert own.loc[own["name"] == name, "place_id"].nunique() == 2


def test_the_150_largest_american_places_are_135_classes(us: Region) -> None:
    assert merge_suburbs(us, top_places(us, 150))["parent_id"].nunique() == 135


def slow_rule(region: Region, places: pd.DataFrame) -> list[str]:
    """The rule as it is told, place by place, without overrides and areas."""
    places = places.sort_values(["population", "place_id"], ascending=[False, True])
    radius = city_radius_km(region, places["population"])
    lat, lon = places["lat"].to_numpy(), places["lon"].to_numpy()
    roots: list[int] = []
    parents = {}
    for row in range(len(places)):
        near = [city for city in roots if haversine_km(lat[row], lon[row], lat[city], lon[city]) <= radius[city]]
        best = min(
            near, key=lambda city: haversine_km(lat[row], lon[row], lat[city], lon[city]) / radius[city], default=row
        )
        if best == row:
            roots.append(row)
        parents[places["place_id"].iloc[row]] = places["place_id"].iloc[best]
    return [parents[place] for place in sorted(parents)]


@pytest.mark.parametrize("seed", range(4))
def test_the_fast_rule_is_the_simple_rule(uk: Region, us: Region, tmp_path: Path, seed: int) -> None:
    none = tmp_path / "none.csv"
    none.write_text("place_id,parent_id,reason\n")
    region = (uk, us)[seed % 2].model_copy(update={"merging": uk.merging.model_copy(update={"areas": ()})})
    rng = np.random.default_rng(seed)
    # A crowded square: places of all sizes, many of them in reach of several cities.
    places = real_places(region).sample(300, random_state=seed)
    places = places.assign(lat=rng.uniform(51, 52.5, 300), lon=rng.uniform(-2, 0, 300))
    places["population"] = (places["population"] * 10 ** rng.uniform(0, 2, 300)).astype(int)
    merged = merge_suburbs(region, places, none).sort_values("place_id")
    assert 20 < merged["parent_id"].nunique() < 280
    assert merged["parent_id"].tolist() == slow_rule(region, places)


def test_all_places_of_the_united_states_are_merged_in_seconds(us: Region) -> None:
    places = real_places(us)
    start = time.process_time()
    merged = merge_suburbs(us, places)
    assert time.process_time() - start < 5
    assert len(merged) == len(places) > 20_000
    roots = set(merged.loc[merged["place_id"] == merged["parent_id"], "place_id"])
    assert set(merged["parent_id"]) == roots


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


HEADER = "place_id,parent_id,reason\n"
SALFORD, MANCHESTER, LEEDS, BIRKENHEAD = "2638671", "2643123", "2644688", "2655613"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + "999,2643743,typo\n", "line 2: place '999' is not in places.csv of region 'uk'"),
        (HEADER + f"{SALFORD},1,typo\n", "line 2: place '1' is not in places.csv"),
        (HEADER + f"{LEEDS},6947756,x\n", "line 2: parent '6947756' was dropped"),
        (HEADER + f"{SALFORD},{LEEDS},x\n\n{SALFORD},{LEEDS},x\n", "line 4: place '2638671' is named a second time"),
        (HEADER + f"{SALFORD},{LEEDS},x\n{SALFORD},{SALFORD},x\n", "line 3: place '2638671' is named against line 2"),
        (HEADER + f"{SALFORD},{LEEDS},x\n{LEEDS},{SALFORD},x\n", "2638671 -> 2644688 -> 2638671 is a cycle"),
        (
            HEADER + f"{MANCHESTER},{LEEDS},x\n{LEEDS},{SALFORD},x\n{SALFORD},{LEEDS},x\n",
            "line 3: 2644688 -> 2638671 -> 2644688 is a cycle",
        ),
        ("place_id,reason\n1,x\n", "no column parent_id: the first line must be place_id,parent_id,reason"),
        ("", "no column place_id, parent_id, reason"),
    ],
)
def test_a_wrong_override_table_is_refused(uk: Region, tmp_path: Path, text: str, told: str) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(text)
    with pytest.raises(RegionError) as caught:
        merge_suburbs(uk, top_places(uk, 10), table)
    assert f"suburb overrides {table}" in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_override_table_is_refused(uk: Region, tmp_path: Path) -> None:
    with pytest.raises(RegionError, match=r"nowhere\.csv cannot be read"):
        merge_suburbs(uk, top_places(uk, 10), tmp_path / "nowhere.csv")


def test_chains_lead_to_their_end(uk: Region, tmp_path: Path) -> None:
    table = tmp_path / "chain.csv"
    table.write_text(HEADER + f"{BIRKENHEAD},{SALFORD},a\n{MANCHESTER},{LEEDS},b\n")
    merged = merge_suburbs(uk, top_places(uk, 150), table).set_index("place_id")
    # Salford is no suburb of Manchester any longer, because Manchester is a class no longer.
    assert merged.loc[[BIRKENHEAD, SALFORD, MANCHESTER], "parent_id"].tolist() == [SALFORD, SALFORD, LEEDS]
    table.write_text(HEADER + f"{BIRKENHEAD},{MANCHESTER},a\n{MANCHESTER},{LEEDS},b\n")
    merged = merge_suburbs(uk, top_places(uk, 150), table).set_index("place_id")
    assert merged.loc[[BIRKENHEAD, MANCHESTER], "parent_id"].tolist() == [LEEDS, LEEDS]
    assert merged.loc[BIRKENHEAD, "reason"] == f"override: a (by way of {MANCHESTER})"


def test_an_override_into_a_suburb_leads_to_its_city(uk: Region, tmp_path: Path) -> None:
    table = tmp_path / "into.csv"
    table.write_text(HEADER + f"{LEEDS},{SALFORD},test\n")
    merged = merge_suburbs(uk, top_places(uk, 150), table).set_index("place_id")
    assert merged.loc[LEEDS, "parent_name"] == "Manchester"


def test_an_override_that_cannot_be_followed_says_so(us: Region) -> None:
    # Among the 32 largest rows there is New South Memphis, but not Memphis.
    merged = merge_suburbs(us, top_places(us, 32)).set_index("name")
    assert merged.loc["New South Memphis", "reason"].endswith(
        "override into 4641239 not followed, it is not among the places"
    )


def test_an_area_whose_city_was_moved_has_no_cycle(uk: Region, tmp_path: Path) -> None:
    places = top_places(uk, 150)
    croydon = places.set_index("name").loc["Croydon", "place_id"]
    table = tmp_path / "moved.csv"
    table.write_text(HEADER + f"{LONDON},{croydon},test\n")
    merged = merge_suburbs(uk, places, table).set_index("place_id")
    assert merged.loc[[LONDON, croydon], "parent_id"].tolist() == [croydon, croydon]
    assert merged.loc[merged["parent_id"] == croydon, "name"].count() > 20


def test_bogus_rows_are_dropped_with_a_reason(uk: Region) -> None:
    dropped = dropped_places(uk).set_index("name")["reason"]
    bogus = {"Mendip", "Fylde", "High Peak", "Londonderry County Borough", "Saint Peters", "Rossendale"}
    assert bogus <= set(dropped.index)
    assert dropped.str.len().gt(5).all()
    names = top_places(uk, 150)["name"].tolist()
    assert "Derry" in names
    assert names.count("Derry") == 1
    assert not bogus & set(names)
    assert top_places(uk, len(real_places(uk)))["population"].min() > 0


def test_dropped_rows_exist_in_the_gazetteer(uk: Region, us: Region) -> None:
    for region in (uk, us):
        assert set(dropped_places(region)["place_id"]) <= set(load_places(region)["place_id"])


@pytest.mark.parametrize("top", [0, -1, 100_000])
def test_more_cities_than_there_are(uk: Region, top: int) -> None:
    with pytest.raises(PlanError, match=rf"top {top}: .*choose 1 to \d+") as caught:
        top_places(uk, top)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("place_id,name,lat,lon\n1,Big,64.4,-19\n", "has no column population: place_id, name, lat, lon, population"),
        ("place_id,name,lat,lon,population\n1,Big,64.4,-19,many\n", "row 1: population 'many': a number from 0"),
        ("place_id,name,lat,lon,population\n1,A,64.4,-19,\n2,B,64.4,-19,\n", "population '': .*2 such rows"),
        ("place_id,name,lat,lon,population\n1,Big,64.4,-19,9\n2,Off,164.4,-19,9\n", "row 2: lat '164.4'"),
        ("place_id,name,lat,lon,population\n1,A,64.4,-19,9\n1,B,64.5,-19,9\n", "row 2: place_id '1' .* twice"),
        ("place_id,name,lat,lon,population\n1,A,64.4,-19,0\n", "'somewhere' has no place with people"),
    ],
)
def test_a_wrong_place_file_is_refused(made_up: Path, text: str, told: str) -> None:
    (made_up.parent / "somewhere-data" / "places.csv").write_text(text)
    with pytest.raises(RegionError, match=told) as caught:
        top_places(load_region(str(made_up)), 1)
    assert "\n" not in str(caught.value)


def test_a_place_file_needs_five_columns_only(made_up: Path) -> None:
    data = made_up.parent / "somewhere-data"
    (data / "places.csv").write_text("place_id,name,lat,lon,population\n1,A,64.4,-19,90000\n2,B,64.41,-19,500\n")
    (data / "suburb_overrides.csv").unlink()
    region = load_region(str(made_up))
    assert merge_suburbs(region, top_places(region, 2))["parent_name"].tolist() == ["A", "A"]
