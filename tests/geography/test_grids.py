"""Cells tile the land: nothing is lost, nothing is counted twice, and every position has the cell it lies in."""

import time

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.errors import PlanError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cells import cell_code
from geolocate.geography.gridref import grid_reference
from geolocate.geography.grids import SLIVER_SHARE, cell_ids, grid_cells, zone_cells
from geolocate.geography.places import load_places
from geolocate.geography.projections import project
from geolocate.geography.regions import Region


@pytest.mark.parametrize(("name", "cell_km"), [("uk", 50), ("uk", 30), ("us", 200)])
def test_the_cells_tile_the_land(name: str, cell_km: float, request: pytest.FixtureRequest) -> None:
    region: Region = request.getfixturevalue(name)
    cells = grid_cells(region, cell_km)
    land = sum(part.area for part in boundary_of(region).land) / 1e6
    assert cells["area_km2"].sum() == pytest.approx(land, rel=1e-9)
    assert cells["cell_id"].is_unique
    assert (cells["area_km2"] >= SLIVER_SHARE * cell_km**2).all()
    assert cells.geometry.is_valid.mean() > 0.99


@pytest.mark.parametrize(("name", "cell_km"), [("uk", 50), ("us", 200)])
def test_a_position_has_the_cell_that_covers_it(name: str, cell_km: float, request: pytest.FixtureRequest) -> None:
    region: Region = request.getfixturevalue(name)
    cells = grid_cells(region, cell_km)
    assert cell_ids(region, cell_km, cells["lat"], cells["lon"]).tolist() == cells["cell_id"].tolist()
    towns = load_places(region).head(500)
    ids = cell_ids(region, cell_km, towns["lat"], towns["lon"])
    assert (ids != "").all()
    assert set(ids) <= set(cells["cell_id"])
    points = gpd.GeoSeries.from_xy(towns["lon"], towns["lat"], crs=4326)
    covers = cells.set_index("cell_id").geometry[ids].reset_index(drop=True).contains(points.reset_index(drop=True))
    assert covers.mean() > 0.97  # the rest lie off the drawn coast


def test_codes_follow_the_european_reference_grid() -> None:
    assert cell_code("", 10_000, 348, 313) == "10kmE348N313"
    assert cell_code("", 1_000, 5254, 3562) == "1kmE5254N3562"
    assert cell_code("", 100_000, 34, 31) == "100kmE34N31"
    assert cell_code("", 250, 13_000, 12_001) == "250mE325000N300025"
    assert cell_code("5070-", 200_000, -4, 7) == "5070-200kmW8N14"


def test_cells_in_the_uk_are_named_by_the_national_grids(uk: Region) -> None:
    assert cell_ids(uk, 50, [51.4779], [0.0]).tolist() == ["50kmE360N315"]
    names = grid_cells(uk, 50).set_index("cell_id")["name"]
    assert names["50kmE360N315"].startswith("TQ ")
    assert names[cell_ids(uk, 50, [54.597], [-5.93])[0]].startswith("J ")


@pytest.mark.parametrize(
    ("grid", "lat", "lon", "reference"),
    [
        ("british", 51.4779, 0.0, "TQ 37"),
        ("british", 56.7969, -5.0036, "NN 17"),
        ("british", 49.915, -6.315, "SV 91"),
        ("british", 60.155, -1.145, "HU 44"),
        ("irish", 54.597, -5.930, "J 37"),
        ("", 51.4779, 0.0, ""),
        ("british", 40.0, -74.0, ""),
    ],
)
def test_known_grid_references(grid: str, lat: float, lon: float, reference: str) -> None:
    assert grid_reference(grid, lat, lon) == reference


def test_positions_outside_have_no_cell(uk: Region) -> None:
    assert cell_ids(uk, 50, [53.35, 40.7, np.nan], [-6.26, -74.0, 0.0]).tolist() == ["", "", ""]


@pytest.mark.parametrize("cell_km", [0, -5, 0.5, 494, 1388, 5000, float("nan"), float("inf")])
def test_an_impossible_size_is_refused_in_one_line(uk: Region, cell_km: float) -> None:
    with pytest.raises(PlanError, match=r"cell size .* choose 1 to 493 km") as caught:
        grid_cells(uk, cell_km)
    assert "\n" not in str(caught.value)


def test_a_cell_is_never_larger_than_the_region(uk: Region) -> None:
    """The longest side of the land is 1,100 km: a cell between that and the land's area would hold nearly all of it."""
    land_km2 = sum(part.area for part in boundary_of(uk).land) / 1e6
    assert 493**2 <= land_km2 < 494**2
    assert len(grid_cells(uk, 493)) > 1


def _cell_one_by_one(region: Region, cell_km: int, lat: float, lon: float) -> str:
    """The definition: the cell that the land in the position's square went to, else that of the nearest land."""
    if not boundary_of(region).contains([lat], [lon])[0]:
        return ""
    at = project(region, [lat], [lon])
    cells = zone_cells(region, cell_km * 1000)[int(at.zone[0])]
    square = (int(at.x[0] // cells.size_m), int(at.y[0] // cells.size_m))
    if square not in cells.land:
        point = shapely.Point(at.x[0], at.y[0])
        square = min(sorted(cells.land), key=lambda one: cells.land[one].distance(point))
    return cell_code(region.zones[cells.zone].id_prefix, cells.size_m, *cells.home[square])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cell_km=st.sampled_from([20, 50, 110]))
def test_ids_of_many_positions_are_those_of_each_by_itself(uk: Region, seed: int, cell_km: int) -> None:
    rng = np.random.default_rng(seed)
    # Half of them around places, so that many lie on or just off the coast.
    places = load_places(uk).sample(10, random_state=seed % 1000)
    lat = np.concatenate([rng.uniform(49.5, 61, 10), places["lat"] + rng.normal(0, 0.02, 10)])
    lon = np.concatenate([rng.uniform(-8.5, 2, 10), places["lon"] + rng.normal(0, 0.03, 10)])
    expected = [_cell_one_by_one(uk, cell_km, *position) for position in zip(lat, lon, strict=True)]
    assert cell_ids(uk, cell_km, lat, lon).tolist() == expected


def test_a_million_positions_take_seconds(uk: Region) -> None:
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(50, 59, 1_000_000), rng.uniform(-7, 2, 1_000_000)
    grid_cells(uk, 20)
    start = time.process_time()
    ids = cell_ids(uk, 20, lat, lon)
    assert time.process_time() - start < 8  # 1.5 s where this was written
    assert (ids != "").mean() == pytest.approx(0.45, abs=0.02)
