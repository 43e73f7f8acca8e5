"""The two regions that travel with the library, and a small made-up one that is only a file."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from geolocate.geography.regions import Region, load_region

MADE_UP = """
title = "Somewhere"
country = "IS"
driving_side = "right"
diagonal_km = 100.0
grid_km = 10.0
coast_tolerance_m = 500.0
levels = ["cell", "city", "town"]
data = "somewhere-data"

[[zones]]
name = "all"
crs = "EPSG:3057"
id_prefix = ""
boxes = [[64.0, -20.0, 65.0, -18.0]]

[captions]
study = "City: {town}"

[towns]
larger_population = 1000
larger_ratio = 2.0
within_km = 50.0

[merging]
radius_factor = 0.28

[partition]
version = "1"
key = "somewhere-1"
block_km = 2.0
buffer_km = 0.5

[partition.shares]
train = 0.70
val = 0.10
calibration = 0.05
test = 0.15
"""


@pytest.fixture(scope="session")
def uk() -> Region:
    return load_region("uk")


@pytest.fixture(scope="session")
def us() -> Region:
    return load_region("us")


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """The path of a region file with its data: a square of land, one admin unit, three places."""
    data = tmp_path / "somewhere-data"
    data.mkdir()
    land = shapely.box(-19.5, 64.2, -18.5, 64.6)
    gpd.GeoDataFrame({"zone": ["all"], "role": ["land"]}, geometry=[land], crs=4326).to_parquet(
        data / "boundary.parquet"
    )
    names = {"zone": ["all"], "admin1": ["IS-8"], "admin1_name": ["South"], "admin2": ["x"], "admin2_name": ["X"]}
    gpd.GeoDataFrame(names, geometry=[land], crs=4326).to_parquet(data / "admin.parquet")
    (data / "places.csv").write_text(
        "place_id,name,lat,lon,population,kind,county,admin1,admin2,admin1_name\n"
        "1,Big,64.4,-19.0,90000,PPL,,IS-8,x,South\n"
        "2,Near,64.41,-19.0,5000,PPL,,IS-8,x,South\n"
        "3,Far,64.55,-18.6,4000,PPL,,IS-8,x,South\n"
    )
    (data / "dropped_places.csv").write_text("place_id,name,reason\n")
    (data / "suburb_overrides.csv").write_text("place_id,parent_id,reason\n")
    path = tmp_path / "somewhere.toml"
    path.write_text(MADE_UP)
    return path
