"""A region is a file: the two that are there, one that is not, and one of the user's own."""

from pathlib import Path

import numpy as np
import pytest

from geolocate.collection.plan import PlanRequest, make_plan
from geolocate.errors import RegionError
from geolocate.geography.grids import grid_cells
from geolocate.geography.regions import load_region, region_names
from geolocate.geography.towns import town_names


def test_the_two_regions_are_there() -> None:
    assert region_names() == ["uk", "us"]
    assert load_region("uk").driving_side == "left"
    assert load_region("us").driving_side == "right"
    assert (load_region("uk").diagonal_km, load_region("us").diagonal_km) == (1388.0, 5676.0)


@pytest.mark.parametrize("name", ["fr", "", "UK", "no/such/file.toml", "/"])
def test_an_unknown_region_names_the_choices_on_one_line(name: str) -> None:
    with pytest.raises(RegionError, match="uk, us") as caught:
        load_region(name)
    assert "\n" not in str(caught.value)
    assert repr(name) in str(caught.value)


def test_a_third_region_needs_a_file_and_no_code(made_up: Path) -> None:
    region = load_region(str(made_up))
    assert region.name == "somewhere"
    cells = grid_cells(region, region.grid_km)
    assert len(cells) > 10
    plan = make_plan(PlanRequest(region=str(made_up), kind="cities", top=3, per_place=5))
    assert sorted(plan["group_name"].unique()) == ["Big", "Far"]
    assert town_names(region, [64.55], [-18.6]).tolist() == ["Far, Big"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('driving_side = "right"', 'driving_side = "middle"', "driving_side"),
        ("test = 0.15", "test = 0.5", "add up to 1.35"),
        ("buffer_km = 0.5", "buffer_km = 1.0", "4 x buffer_km"),
        ("diagonal_km = 100.0", "", "diagonal_km"),
        ('title = "Somewhere"', "title = ", "not TOML"),
        ("grid_km = 10.0", "grid_km = 10.0\ncolour = 3", "colour 3: there is no such key"),
        ('id_prefix = ""', 'prefix = ""', "zones.0.prefix"),
        ("grid_km = 10.0", "grid_km = -1", "grid_km -1.*greater than 0"),
        ('country = "IS"', 'country = "Iceland"', "country 'Iceland'"),
    ],
)
def test_an_incomplete_file_is_refused_in_one_line(made_up: Path, old: str, new: str, told: str) -> None:
    made_up.write_text(made_up.read_text().replace(old, new))
    with pytest.raises(RegionError, match=told) as caught:
        load_region(str(made_up))
    assert "\n" not in str(caught.value)


def test_missing_data_is_told_with_its_path(made_up: Path) -> None:
    (made_up.parent / "somewhere-data" / "boundary.parquet").unlink()
    with pytest.raises(RegionError, match=r"boundary\.parquet"):
        grid_cells(load_region(str(made_up)), 10)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:99999999"])
def test_a_zone_needs_a_projected_crs(made_up: Path, crs: str) -> None:
    made_up.write_text(made_up.read_text().replace("EPSG:3057", crs))
    with pytest.raises(RegionError, match=crs):
        town_names(load_region(str(made_up)), np.array([64.4]), np.array([-19.0]))
