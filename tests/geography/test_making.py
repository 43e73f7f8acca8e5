"""A user's own files become a region, or one line says what is wrong with them."""

import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geolocate.collection.plan import PlanRequest, make_plan
from geolocate.errors import RegionError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.grids import cell_ids, grid_cells
from geolocate.geography.inspection import check_region, describe_region
from geolocate.geography.making import RegionRecipe, make_region, suggested_grid_km
from geolocate.geography.outlines import InputFile, read_land
from geolocate.geography.partition import ground_partition
from geolocate.geography.places import load_places
from geolocate.geography.projections import to_metres
from geolocate.geography.regions import load_region
from geolocate.geography.zoning import choose_zone, distortion, extent_of

# An island in the Atlantic, 70 km by 110 km, with a bay.
ISLAND = shapely.box(-30.0, 38.0, -29.2, 39.0).difference(shapely.box(-29.6, 38.4, -29.2, 38.5))
PLACES = (
    "name,lat,lon,population\nPorto,38.2,-29.7,50000\nVila,38.8,-29.5,9000\nAldeia,38.6,-29.8,\nFar,10.0,10.0,700\n"
)


def _write(path: Path, geometry: object, crs: object = 4326) -> Path:
    frame = gpd.GeoDataFrame({"name": ["Kerry"]}, geometry=[geometry], crs=crs)
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_file(path)
    return path


def _recipe(folder: Path, boundary: Path | None = None, places: str = PLACES) -> RegionRecipe:
    table = folder / "towns.csv"
    table.write_text(places)
    return RegionRecipe(
        name="azul",
        title='Ilha "Azul"',
        country="PT",
        driving_side="right",
        boundary=InputFile(boundary or _write(folder / "island.gpkg", ISLAND), "drawn for a test, public domain"),
        places=InputFile(table, "made up, CC0-1.0"),
    )


def test_a_made_region_does_what_the_ones_that_travel_with_the_library_do(tmp_path: Path) -> None:
    made = make_region(_recipe(tmp_path), tmp_path / "azul")
    region = load_region(str(made.file))
    assert region == made.region
    assert region.title == 'Ilha "Azul"'
    assert [finding for finding in check_region(region) if finding.is_wrong] == []
    assert describe_region(region)["largest"] == "Porto 50,000, Vila 9,000"
    assert made.left_out["name"].tolist() == ["Far"]
    assert load_places(region)["admin1"].unique().tolist() == ["PT"]
    plan = make_plan(PlanRequest(region=str(made.file), kind="cities", top=2, per_place=5))
    assert boundary_of(region).contains(plan["lat"], plan["lon"]).all()
    over_the_grid = make_plan(PlanRequest(region=str(made.file), kind="grid", per_place=1, draws=1))
    assert len(over_the_grid) == len(grid_cells(region, region.grid_km))
    assert set(ground_partition(region, plan["lat"], plan["lon"])["part"]) <= {"train", "val", "calibration", "test"}
    sources = (region.data / "SOURCES.md").read_text()
    assert "drawn for a test, public domain" in sources
    assert "made up, CC0-1.0" in sources


TOPOLOGY = {
    "type": "Topology",
    "objects": {"land": {"type": "GeometryCollection", "geometries": [{"type": "Polygon", "arcs": [[0]]}]}},
    "arcs": [[[-30, 38], [-29, 38], [-29, 39], [-30, 39], [-30, 38]]],
}


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "shp", "parquet", "topojson"])
def test_every_common_format_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"land.{kind}"
    if kind == "topojson":
        path.write_text(json.dumps(TOPOLOGY))
    else:
        _write(path, shapely.box(-30, 38, -29, 39))
    land = read_land(InputFile(path, "", crs="EPSG:4326"))
    assert land.bounds == pytest.approx((-30, 38, -29, 39))


def test_a_projected_boundary_comes_out_in_degrees(tmp_path: Path) -> None:
    there = gpd.GeoSeries([ISLAND], crs=4326).to_crs(32625).iloc[0]
    land = read_land(InputFile(_write(tmp_path / "utm.gpkg", there, 32625), ""))
    assert land.symmetric_difference(ISLAND).area < 1e-4 * ISLAND.area


_BOWTIE = shapely.Polygon([(-30, 38), (-29, 39), (-29, 38), (-30, 39)])
_OVER = shapely.Polygon([(179, -17), (-179, -17), (-179, -16), (179, -16)])


@pytest.mark.parametrize(
    ("geometry", "crs", "told"),
    [
        (ISLAND, None, "does not say its CRS.*--input-crs"),
        (shapely.box(350_000, 20_000, 358_000, 30_000), 4326, "said to be in degrees.*up to 358000.*projected"),
        (_BOWTIE, 4326, r"\(Kerry\) is not valid \(self-intersection near lat 38.5000, lon -29.5000\).*--repair"),
        (shapely.Polygon(), 4326, "is empty"),
        (shapely.Point(-29, 38), 4326, "holds Point and no polygons"),
        (_OVER, 4326, "across the antimeridian.*358 degrees.*wrapdateline"),
        (shapely.Polygon([(0, 0), (1, 1), (2, 2)]), 4326, "not valid|no area"),
    ],
    ids=["no crs", "projected", "self-intersecting", "empty", "points", "antimeridian", "flat"],
)
def test_a_bad_boundary_is_refused_in_one_line(tmp_path: Path, geometry: object, crs: object, told: str) -> None:
    path = _write(tmp_path / "bad.gpkg" if crs else tmp_path / "bad.shp", geometry, crs)
    with pytest.raises(RegionError, match=told) as caught:
        make_region(_recipe(tmp_path, path), tmp_path / "azul")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "azul").exists()


def test_what_crosses_itself_is_mended_on_request(tmp_path: Path) -> None:
    land = read_land(InputFile(_write(tmp_path / "bowtie.gpkg", _BOWTIE), "", repair=True))
    assert land.is_valid
    assert land.area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ("name,lat,lon\nPorto,38.2,-29.7\n", "no column population: it needs name, lat, lon, population"),
        ("name,lat,lon,population\nPorto,38.2,-29.7,\n", "no place has a population"),
        ("name,lat,lon,population\nPorto,38.2,-29.7,many\n", "row 1: population 'many'"),
        ("name,lat,lon,population\nPorto,north,-29.7,5\n", "row 1: lat 'north'"),
        ("name,lat,lon,population\nPorto,-29.7,38.2,5\n", "all 1 places .* lie outside .*Porto.*swapped"),
        ("id,name,lat,lon,population\n1,A,38.2,-29.7,5\n1,B,38.3,-29.7,5\n", "row 2: 'B' has the id '1'"),
        ("", "cannot be read"),
    ],
)
def test_a_bad_table_of_places_is_refused_in_one_line(tmp_path: Path, places: str, told: str) -> None:
    with pytest.raises(RegionError, match=told) as caught:
        make_region(_recipe(tmp_path, places=places), tmp_path / "azul")
    assert "\n" not in str(caught.value)


def test_other_mistakes_are_refused_in_one_line(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path)
    tiny = _write(tmp_path / "tiny.gpkg", shapely.box(-29.701, 38.199, -29.699, 38.201))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for wrong, folder, told in [
        (replace(recipe, name="uk"), "uk", "name 'uk' is that of a region"),
        (replace(recipe, country="Portugal"), "azul", "country 'Portugal'"),
        (replace(recipe, crs="EPSG:32625"), "azul", "not equal-area"),
        (replace(recipe, crs="EPSG:4326"), "azul", "not projected"),
        (replace(recipe, boundary=replace(recipe.boundary, path=tmp_path / "no.gpkg")), "azul", "no file"),
        (replace(recipe, admin=recipe.boundary), "azul", "no column admin1"),
        (replace(recipe, grid_km=90), "azul", "cells of 90 km: choose 1 to 85 km"),
        (replace(recipe, boundary=InputFile(tiny, "drawn")), "azul", r"tiny.gpkg encloses 0.0\d+ km²"),
        (recipe, "full", "is there already"),
    ]:
        with pytest.raises(RegionError, match=told) as caught:
            make_region(wrong, tmp_path / folder)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"


def test_a_neighbours_ground_is_never_ours_however_near(tmp_path: Path) -> None:
    neighbours = InputFile(_write(tmp_path / "east.gpkg", shapely.box(-29.2, 37.0, -28.0, 40.0)), "drawn, CC0-1.0")
    recipe = replace(_recipe(tmp_path), neighbours=neighbours, coast_tolerance_m=4000.0)
    region = make_region(recipe, tmp_path / "azul").region
    west_coast, border = [38.7, -30.02], [38.7, -29.18]  # both 1.7 km outside the drawn land
    assert boundary_of(region).contains(*np.array([west_coast, border]).T).tolist() == [True, False]


@pytest.mark.parametrize("cut", ["at 180", "0 to 360"])
def test_a_region_across_the_antimeridian_has_one_zone_and_two_boxes(tmp_path: Path, cut: str) -> None:
    west, east = shapely.box(178, -18, 180, -16), shapely.box(-180, -18, -178.5, -16)
    land = shapely.MultiPolygon([west, east]) if cut == "at 180" else shapely.box(178, -18, 181.5, -16)
    places = "name,lat,lon,population\nWestern,-17,179,5000\nEastern,-17,-179,4000\n"
    recipe = replace(_recipe(tmp_path, _write(tmp_path / "fiji.gpkg", land), places), country="FJ")
    region = make_region(recipe, tmp_path / "azul").region
    assert len(region.zones) == 1
    assert len(region.zones[0].boxes) == 2
    assert region.diagonal_km == pytest.approx(433, rel=0.02)
    assert boundary_of(region).contains([-17, -17, -17, -17], [179, -179, 179.999, 0]).tolist() == [True] * 3 + [False]
    assert [finding for finding in check_region(region) if finding.is_wrong] == []
    # The land is cut nowhere: a cell that the line crosses holds ground of both sides.
    assert grid_cells(region, region.grid_km)["area_km2"].sum() == pytest.approx(boundary_of(region).land[0].area / 1e6)
    across = cell_ids(region, 50, [-17.0, -17.0], [179.9999, -179.9999])
    assert across[0] == across[1] != ""
    parts = grid_cells(region, 50).geometry.explode()
    assert (parts.bounds["maxx"] - parts.bounds["minx"]).max() < 1


def test_the_projection_is_the_standard_one_in_europe_and_our_own_elsewhere() -> None:
    assert choose_zone("x", shapely.box(-10.5, 51.4, -6.0, 55.4)).crs == "EPSG:3035"
    chile = choose_zone("chile", shapely.box(-75.6, -55.6, -66.9, -17.5))
    assert chile.crs == "+proj=laea +lat_0=-36.5 +lon_0=-71.2 +datum=WGS84 +units=m"
    assert chile.id_prefix == "chile-"
    assert choose_zone("texas", shapely.box(-106.6, 25.8, -93.5, 36.5), "EPSG:5070").id_prefix == "5070-"
    with pytest.raises(RegionError, match="too large for one zone"):
        choose_zone("russia", shapely.segmentize(shapely.box(27, 41, 179, 77), 5))


@pytest.mark.parametrize("crs", ["EPSG:3035", "+proj=laea +lat_0=-36.5 +lon_0=-71.2 +datum=WGS84 +units=m"])
def test_distortion_is_what_small_figures_measure(crs: str) -> None:
    lat, lon = (51.5, -9.0) if crs == "EPSG:3035" else (-20.0, -69.0)
    land = shapely.box(lon, lat, lon + 0.01, lat + 0.01)
    found = distortion(crs, land)
    assert found.area_error < 1e-6
    # A hundredth of a degree of latitude and of longitude on the ellipsoid (Snyder 1987), and on the map.
    ground = np.array([111_132.09 - 559.82 * np.cos(np.radians(2 * lat)), 111_412.84 * np.cos(np.radians(lat))]) / 100
    x, y = to_metres(crs, np.array([lat, lat + 0.01, lat]), np.array([lon, lon, lon + 0.01]))
    measured = np.hypot(x[1:] - x[0], y[1:] - y[0])
    assert (measured <= ground * (found.stretch + 1e-3)).all()
    assert (measured >= ground / (found.stretch + 1e-3)).all()


def test_the_suggested_cell_suits_the_land() -> None:
    sizes = [suggested_grid_km(km2) for km2 in (10, 500, 70_000, 243_782, 9_355_206)]
    assert sizes == [1.0, 2.0, 20.0, 50.0, 250.0]


def test_the_narrowest_box_goes_over_the_antimeridian_where_that_is_narrower() -> None:
    both = shapely.MultiPolygon([shapely.box(170, 50, 175, 52), shapely.box(-179, 51, -150, 60)])
    box = extent_of(both)
    assert (box.west, box.east, box.width) == (170, -150, 40)
    whole = extent_of(shapely.box(-10, 0, 20, 5))
    assert (whole.west, whole.east, whole.width) == (-10, 20, 30)
