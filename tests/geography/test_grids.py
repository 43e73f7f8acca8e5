"""Cells tile the land: nothing is lost, nothing is counted twice, and every position has the cell it lies in."""

import geopandas as gpd
import numpy as np
import pytest

from geolocate.errors import PlanError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cells import cell_code
from geolocate.geography.gridref import grid_reference
from geolocate.geography.grids import SLIVER_SHARE, cell_ids, grid_cells
from geolocate.geography.places import load_places
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


@pytest.mark.parametrize("cell_km", [0, -5, 0.5, 5000, float("nan"), float("inf")])
def test_an_impossible_size_is_refused_in_one_line(uk: Region, cell_km: float) -> None:
    with pytest.raises(PlanError, match=r"cell size .* choose 1 to 1388 km") as caught:
        grid_cells(uk, cell_km)
    assert "\n" not in str(caught.value)
