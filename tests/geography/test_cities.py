"""Whose ground a position is: one rule for planning and for labelling."""

import time
from pathlib import Path

import numpy as np
import pytest

from geolocate.collection.city_targets import city_shares
from geolocate.collection.plan import PlanRequest, make_plan
from geolocate.geography.cities import LEAST_RADIUS_KM, REACH, cities_of, ground_radius_km
from geolocate.geography.places import top_places
from geolocate.geography.projections import project, to_degrees
from geolocate.geography.regions import Region, load_region
from geolocate.geography.suburbs import merge_suburbs

LONDON, CROYDON, WATFORD, MANCHESTER = "2643743", "2651817", "2634677", "2643123"
NEW_YORK, JERSEY_CITY = "5128581", "5099836"


@pytest.mark.parametrize(("region", "top"), [("uk", 50), ("uk", 150), ("us", 150)])
def test_a_planned_point_is_labelled_as_its_class(region: str, top: int) -> None:
    plan = make_plan(PlanRequest(region=region, top=top, per_place=6, draws=2))
    assert plan["group_id"].nunique() > 40
    own = cities_of(load_region(region), top).owners(plan["lat"], plan["lon"])
    assert (own == plan["group_id"]).all()


def test_after_a_snap_of_250_m_nearly_every_panorama_keeps_its_class(uk: Region) -> None:
    plan = make_plan(PlanRequest(region="uk", top=150, per_place=6, draws=2))
    way = np.random.default_rng(0).uniform(0, 2 * np.pi, len(plan))
    lat = plan["lat"] + 0.25 * np.sin(way) / 111.2
    lon = plan["lon"] + 0.25 * np.cos(way) / (111.2 * np.cos(np.radians(plan["lat"])))
    assert (cities_of(uk, 150).owners(lat, lon) == plan["group_id"]).mean() > 0.99


def test_london_is_one_class_among_many_and_not_15_percent_of_the_rows(uk: Region) -> None:
    classes = merge_suburbs(uk, top_places(uk, 150))
    assert (classes["parent_id"] == LONDON).mean() > 0.15  # what keeping the rows of 150 places would give
    plan = make_plan(PlanRequest(region="uk", top=150, per_place=6, draws=1))
    own = cities_of(uk, 150).owners(plan["lat"], plan["lon"])
    assert (own == LONDON).mean() == pytest.approx(1 / classes["parent_id"].nunique())


def test_inside_greater_london_it_is_london_and_outside_it_is_not(uk: Region) -> None:
    cities = cities_of(uk, 150)
    croydon, edgware, watford, dartford = (51.376, -0.098), (51.6137, -0.275), (51.655, -0.396), (51.444, 0.217)
    lat, lon = zip(croydon, edgware, watford, dartford, strict=True)
    own = cities.owners(lat, lon)
    # Edgware is nearer to Watford than to Charing Cross, but a part of London.
    assert own[:3].tolist() == [LONDON, LONDON, WATFORD]
    assert own[3] != LONDON


def moved(tmp_path: Path, *rows: tuple[str, str]) -> Path:
    table = tmp_path / "moved.csv"
    table.write_text("place_id,parent_id,reason\n" + "".join(f"{place},{parent},test\n" for place, parent in rows))
    return table


def test_a_city_that_an_override_leads_into_an_area_keeps_its_ground(uk: Region, tmp_path: Path) -> None:
    own = cities_of(uk, 150, moved(tmp_path, (MANCHESTER, LONDON))).owners([53.48, 53.488, 51.5], [-2.237, -2.29, -0.1])
    # With Manchester no class, Salford is one of its own.
    assert own.tolist() == [LONDON, "2638671", LONDON]


def test_a_part_of_an_area_can_be_a_city_of_its_own(uk: Region, tmp_path: Path) -> None:
    lat, lon = [51.376, 51.5, 51.30], [-0.098, -0.1, -0.15]  # Croydon, London, and Chipstead outside
    own = cities_of(uk, 150, moved(tmp_path, (CROYDON, CROYDON))).owners(lat, lon)
    assert own[:2].tolist() == [CROYDON, LONDON]
    assert own[2] not in (CROYDON, LONDON)


@pytest.mark.parametrize("rows", [(("2643123", "2643743"),), (("2651817", "2651817"), ("2637546", "2651817"))])
def test_no_override_loses_a_panorama_or_a_plan(uk: Region, tmp_path: Path, rows: tuple[tuple[str, str], ...]) -> None:
    table = moved(tmp_path, *rows)
    plan = make_plan(PlanRequest(region="uk", top=60, per_place=8, draws=1))
    assert (cities_of(uk, 60, table).owners(plan["lat"], plan["lon"]) != "").all()
    # The same table as the region's own: plans follow it.
    for name in ("places.csv", "dropped_places.csv", "boundary.parquet", "admin.parquet"):
        (tmp_path / name).symlink_to(uk.data / name)
    table.rename(tmp_path / "suburb_overrides.csv")
    mine = uk.model_copy(update={"data": tmp_path})
    for share in city_shares(mine, "", 60, 40):
        x, y = share.target.propose(np.random.default_rng(1).random((40, 3)), share.member)
        fits = share.target.accepts(x, y)
        lat, lon = to_degrees(mine.zones[share.target.zone].crs, x[fits], y[fits])
        assert (cities_of(mine, 60).owners(lat, lon) == share.group_ids[0]).all()
        assert fits.any()


def test_the_hudson_divides_new_york_from_jersey_city(us: Region) -> None:
    own = cities_of(us, 150).owners([40.75, 40.72, 40.5795], [-73.99, -74.05, -74.0])
    assert own.tolist() == [NEW_YORK, JERSEY_CITY, NEW_YORK]  # the last on the shore of Coney Island


def test_beyond_two_radii_there_is_no_city(uk: Region) -> None:
    radius_km = float(ground_radius_km(uk, top_places(uk, 4)["population"])[3])
    north = np.array([0.9, 1.9, 2.2]) * radius_km / 111.2
    own = cities_of(uk, 4).owners(53.48095 + north, np.full(3, -2.23743))
    assert own.tolist() == [MANCHESTER, MANCHESTER, ""]
    assert ground_radius_km(uk, 1) == LEAST_RADIUS_KM


def test_the_fast_rule_is_the_simple_rule(uk: Region) -> None:
    places = top_places(uk, 150)
    parent = merge_suburbs(uk, places)["parent_id"].to_numpy()
    rng = np.random.default_rng(5)
    lat, lon = rng.uniform(53.2, 53.9, 2000), rng.uniform(-3.1, -1.3, 2000)  # the north, where no city has an area
    here, at = project(uk, places["lat"], places["lon"]), project(uk, lat, lon)
    distance = np.hypot(at.x[:, None] - here.x, at.y[:, None] - here.y) / 1000
    ratio = distance / ground_radius_km(uk, places["population"])
    simple = np.where(ratio.min(axis=1) <= REACH, parent[ratio.argmin(axis=1)], "")
    assert (cities_of(uk, 150).owners(lat, lon) == simple).all()
    assert 0.1 < (simple == "").mean() < 0.9


def test_a_million_positions_take_seconds(uk: Region) -> None:
    places = top_places(uk, 150)
    rng = np.random.default_rng(1)
    row = rng.integers(0, len(places), 1_000_000)
    lat = places["lat"].to_numpy()[row] + rng.normal(0, 0.05, len(row))
    lon = places["lon"].to_numpy()[row] + rng.normal(0, 0.08, len(row))
    cities = cities_of(uk, 150)
    start = time.process_time()
    own = cities.owners(lat, lon)
    assert time.process_time() - start < 10
    assert 0.5 < (own != "").mean() < 0.95
