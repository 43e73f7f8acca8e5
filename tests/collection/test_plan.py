"""What is planned is what was asked for: seeded, on land, n a merged class, and each point with its weight."""

import os
import subprocess
import sys
import time
from typing import Literal

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.collection.plan import COLUMNS, PlanRequest, make_plan
from geolocate.errors import PlanError, RegionError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cities import cities_of, ground_radius_km
from geolocate.geography.distances import haversine_km
from geolocate.geography.grids import cell_ids, grid_cells
from geolocate.geography.places import real_places, top_places
from geolocate.geography.projections import project
from geolocate.geography.regions import load_region
from geolocate.geography.suburbs import city_radius_km, merge_suburbs, places_inside

CITIES = PlanRequest(top=20, per_place=12)
GRID = PlanRequest(kind="grid", per_place=4)


@pytest.fixture(scope="module")
def cities() -> pd.DataFrame:
    return make_plan(CITIES)


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    return make_plan(GRID)


@pytest.mark.parametrize(
    "request_",
    [
        PlanRequest(kind="grid"),
        PlanRequest(top=150),
        PlanRequest(region="us", kind="grid"),
        PlanRequest(region="us", top=150),
        PlanRequest(region="us", kind="uniform"),
        PlanRequest(region="us", kind="population"),
    ],
    ids=["uk-grid", "uk-150", "us-grid", "us-150", "us-uniform", "us-population"],
)
def test_plans_are_whole_and_quick(request_: PlanRequest) -> None:
    start = time.process_time()
    plan = make_plan(request_)
    assert time.process_time() - start < 15  # 2 to 3 s on an idle machine
    assert plan.columns.tolist() == COLUMNS
    assert not plan.isna().any().any()
    assert not plan.duplicated(["point_id", "draw"]).any()
    points = plan.groupby("group_id")["point_id"].nunique()
    assert points.sum() == request_.total if request_.total else (points == request_.per_place).all()
    assert (plan.groupby("point_id")["group_id"].nunique() == 1).all()
    assert (plan["sample_weight"] > 0).all()
    assert boundary_of(load_region(request_.region)).contains(plan["lat"], plan["lon"]).all()


def test_points_are_counted_per_merged_class(cities: pd.DataFrame) -> None:
    uk = load_region("uk")
    classes = merge_suburbs(uk, top_places(uk, 20))
    assert set(cities["group_id"]) == set(classes["parent_id"])
    assert len(set(classes["parent_id"])) < 20
    assert (cities.groupby("group_id")["point_id"].nunique() == 12).all()


def test_points_lie_within_their_city_and_nearest_to_it(cities: pd.DataFrame) -> None:
    uk = load_region("uk")
    places = top_places(uk, 20)
    classes = merge_suburbs(uk, places).set_index("place_id")["parent_id"]
    distance = haversine_km(
        cities["lat"].to_numpy()[:, None],
        cities["lon"].to_numpy()[:, None],
        places["lat"].to_numpy(),
        places["lon"].to_numpy(),
    )
    relative = distance / city_radius_km(uk, places["population"])
    nearest = places["place_id"].to_numpy()[relative.argmin(axis=1)]
    assert (relative.min(axis=1) < 1.02).all()
    assert (classes[nearest].to_numpy() == cities["group_id"].to_numpy()).mean() > 0.995


def test_grid_points_lie_in_their_cell(grid: pd.DataFrame) -> None:
    uk = load_region("uk")
    found = cell_ids(uk, uk.grid_km, grid["lat"], grid["lon"])
    assert (found == grid["group_id"].to_numpy()).mean() > 0.999  # rounding to 0.1 m may cross a border


def test_grid_points_are_uniform_on_land() -> None:
    plan = make_plan(PlanRequest(kind="grid", cell_km=400, per_place=400, draws=1))
    uk = load_region("uk")
    fine = cell_ids(uk, 50, plan["lat"], plan["lon"])
    area = grid_cells(uk, 50).set_index("cell_id")["area_km2"]
    stands_for = plan.groupby(fine)["sample_weight"].sum().reindex(area.index, fill_value=0.0)
    expected = plan["sample_weight"].mean()
    residual = (stands_for - area) / np.sqrt(area * expected)
    assert residual.abs().max() < 5
    assert abs(residual.mean()) < 0.3


def test_weights_add_up_to_the_land(grid: pd.DataFrame) -> None:
    land = boundary_of(load_region("uk")).land[0].area / 1e6
    for draw in range(GRID.draws):
        assert grid.loc[grid["draw"] == draw, "sample_weight"].sum() == pytest.approx(land, rel=1e-9)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 2**32), st.sampled_from([30.0, 50.0, 100.0]))
def test_the_weights_of_grid_and_uniform_plans_add_up_to_the_land_whatever_is_asked_for(
    total: int, per_place: int, seed: int, cell_km: float
) -> None:
    land = boundary_of(load_region("uk")).land[0].area / 1e6
    uniform = make_plan(PlanRequest(kind="uniform", total=total, seed=seed, draws=1))
    cells = make_plan(PlanRequest(kind="grid", cell_km=cell_km, per_place=per_place, seed=seed, draws=1))
    for plan in (uniform, cells):
        assert plan["sample_weight"].sum() == pytest.approx(land, rel=1e-9)


def test_a_uniform_plan_is_a_simple_random_sample_of_the_land() -> None:
    plan = make_plan(PlanRequest(kind="uniform", total=20_000, draws=2))
    uk = load_region("uk")
    assert (cell_ids(uk, uk.grid_km, plan["lat"], plan["lon"]) == plan["group_id"]).mean() > 0.999
    area = grid_cells(uk, 20).set_index("cell_id")["area_km2"]
    for draw in range(2):
        rows = plan[plan["draw"] == draw]
        found = pd.Series(cell_ids(uk, 20, rows["lat"], rows["lon"])).value_counts().reindex(area.index, fill_value=0)
        expected = area / area.sum() * len(rows)
        chi2 = ((found - expected) ** 2 / expected).sum()
        # Of a chi-squared variable with so many degrees of freedom: within five standard deviations of its mean.
        assert abs(chi2 - (len(area) - 1)) < 5 * np.sqrt(2 * (len(area) - 1))


def test_population_points_are_where_people_are_counted() -> None:
    plan = make_plan(PlanRequest(kind="population", total=20_000, draws=1))
    people = real_places(load_region("uk")).set_index("place_id")["population"]
    share = plan["group_id"].value_counts() / len(plan)
    # 63.7 million are counted once: without sections of towns, and without the boroughs of London beside London.
    largest = people.loc[share.index[:5]] / 63_685_636
    assert share.iloc[:5].to_numpy() == pytest.approx(largest.to_numpy(), abs=0.006)
    assert share.index[0] == "2643743"


@pytest.mark.parametrize("seed", [0, 1])
def test_population_weights_estimate_ground_that_is_measured_otherwise(seed: int) -> None:
    uk = load_region("uk")
    plan = make_plan(PlanRequest(kind="population", total=20_000, draws=1, seed=seed))
    places = real_places(uk)
    places = places[
        (places["kind"] != "PPLX") & ~places_inside(uk.merging.areas[0], places) | (places["name"] == "London")
    ]
    at = project(uk, places["lat"], places["lon"])
    radius = ground_radius_km(uk, places["population"]) * 1000
    covered = shapely.union_all(shapely.buffer(shapely.points(at.x, at.y), radius, quad_segs=32))
    land = shapely.intersection(covered, boundary_of(uk).land[0]).area / 1e6
    weight = plan["sample_weight"]
    error = weight.std() * np.sqrt(len(weight))
    assert abs(weight.sum() - land) < 4 * error
    assert error < 0.05 * land


def test_city_weights_estimate_the_ground_of_all_cities() -> None:
    uk = load_region("uk")
    plan = make_plan(PlanRequest(top=30, per_place=800, draws=1))
    uniform = make_plan(PlanRequest(kind="uniform", total=200_000, draws=1))
    cities = cities_of(uk, 30)
    near = cities.owners(uniform["lat"], uniform["lon"]) != ""
    at = project(uk, uniform["lat"], uniform["lon"])
    # Owners reach beyond the discs that are sampled.
    near &= cities.relative_distance(np.arange(30), at.x, at.y) <= 1
    assert plan["sample_weight"].sum() == pytest.approx(uniform["sample_weight"][near].sum(), rel=0.05)


def test_city_weights_estimate_the_area_of_the_city() -> None:
    plan = make_plan(PlanRequest(top=2, per_place=4000, draws=1))
    birmingham = plan[plan["group_name"] == "Birmingham"]
    radius = city_radius_km(load_region("uk"), 1_157_603)
    assert birmingham["sample_weight"].sum() == pytest.approx(np.pi * radius**2, rel=0.02)


def test_a_seed_decides_everything(cities: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(make_plan(CITIES), cities)
    other = make_plan(CITIES.model_copy(update={"seed": 1}))
    assert (other["lat"].to_numpy() != cities["lat"].to_numpy()).mean() > 0.99


def test_another_group_or_more_points_move_nothing(cities: pd.DataFrame) -> None:
    keys = ["point_id", "draw"]
    longer = make_plan(CITIES.model_copy(update={"per_place": 20}))
    both = cities.merge(longer, on=keys, suffixes=("", "_longer"))
    assert len(both) == len(cities)
    assert (both["lat"] == both["lat_longer"]).all()
    fewer = make_plan(CITIES.model_copy(update={"top": 10}))
    kept = fewer.merge(cities, on=keys, suffixes=("", "_more"))
    same = (kept["lat"] == kept["lat_more"]) & (kept["lon"] == kept["lon_more"])
    # Birkenhead, the 16th, joins Liverpool and takes some of its points; no other city of the ten has a neighbour.
    assert same[kept["group_name"] != "Liverpool"].mean() > 0.97


@pytest.mark.parametrize("kind", ["uniform", "population"])
def test_a_longer_sample_holds_the_shorter_one(kind: Literal["uniform", "population"]) -> None:
    short = make_plan(PlanRequest(kind=kind, total=50, draws=2))
    long = make_plan(PlanRequest(kind=kind, total=120, draws=3))
    both = short.merge(long, on=["point_id", "draw", "group_id", "lat", "lon"])
    assert len(both) == len(short) == 100
    assert (both["sample_weight_x"] * 50).to_numpy() == pytest.approx((both["sample_weight_y"] * 120).to_numpy())


def test_draws_of_a_point_differ(grid: pd.DataFrame) -> None:
    assert (grid.groupby("point_id")["lat"].nunique() == GRID.draws).all()


def test_whole_groups_stay_in_one_shard() -> None:
    plan = make_plan(CITIES.model_copy(update={"shard_size": 30}))
    assert (plan.groupby("group_id")["shard"].nunique() == 1).all()
    points = plan.groupby("shard")["point_id"].nunique()
    assert points.index.tolist() == list(range(len(points)))
    assert points.max() == 36  # the third group of 12 fills the shard
    assert len(points) > 3


def test_neither_the_process_nor_the_network_of_proj_changes_a_point() -> None:
    code = (
        "from geolocate.collection.plan import *\n"
        "from geolocate.geography.partition import ground_partition\n"
        "for name in ('uk', 'us'):\n"
        "    plan = make_plan(PlanRequest(region=name, top=3, per_place=3))\n"
        "    print(plan.to_csv(), ground_partition(load_region(name), plan['lat'], plan['lon']).to_csv())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PROJ_NETWORK": network, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for network, seed in (("ON", "1"), ("OFF", "2"))
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"region": "atlantis"}, "atlantis.*uk, us"),
        ({"kind": "grid", "cell_km": 0}, "cell size 0 km"),
        ({"kind": "grid", "cell_km": -3}, "cell size -3 km"),
        ({"kind": "grid", "cell_km": 9999}, "cell size 9999 km"),
        ({"top": 1_000_000}, "top 1000000"),
        ({"top": 0}, "top 0"),
        ({"per_place": 0}, "per_place 0"),
        ({"draws": 0}, "draws 0"),
        ({"shard_size": 0}, "shard_size 0"),
        ({"radius_m": 0.0}, "radius_m 0"),
        ({"kind": "uniform", "total": 0}, "total 0"),
        ({"kind": "cities", "cell_km": 50}, "cell_km 50.* grid"),
        ({"kind": "grid", "top": 50}, "top 50 .* cities"),
        ({"kind": "uniform", "per_place": 2}, "per_place 2 .* grid or cities"),
        ({"kind": "cities", "total": 2}, "total 2 .* population or uniform"),
    ],
)
def test_what_cannot_be_planned_is_told_in_one_line(change: dict[str, object], told: str) -> None:
    with pytest.raises((PlanError, RegionError), match=told) as caught:
        make_plan(PlanRequest.model_validate(change))
    assert "\n" not in str(caught.value)


def test_the_points_of_a_seed_never_change() -> None:
    # A collection that was interrupted is gone on with by the same command: its plan must be the same for ever.
    first = {
        "cities": ("2643743-0000", 51.461088, 0.079152),
        "grid": ("50kmE315N355-0000", 54.177615, -7.459893),
        "population": ("2643743-0002", 51.525002, 0.112513),
        "uniform": ("50kmE315N355-0236", 54.191595, -7.644221),
    }
    for kind, (point_id, lat, lon) in first.items():
        row = make_plan(PlanRequest.model_validate({"kind": kind})).iloc[0]
        assert row["point_id"] == point_id
        assert (row["lat"], row["lon"]) == pytest.approx((lat, lon), abs=2e-6)
