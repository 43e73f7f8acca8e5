"""The table and the map show the partition that splits the data, not another."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from geolocate.cli import build
from geolocate.errors import RegionError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.partition import ground_partition, partition_version
from geolocate.geography.partition_table import Box, partition_map, partition_table
from geolocate.geography.regions import Region

BIRMINGHAM = Box(52.40, -2.02, 52.56, -1.76)


def test_the_whole_table_holds_every_block_of_land_once(uk: Region) -> None:
    table = partition_table(uk)
    assert table["block_id"].is_unique
    assert table["partition_version"].unique().tolist() == [partition_version(uk)]
    shares = table["part"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx(uk.partition.shares, abs=0.01)
    land_km2 = sum(land.area for land in boundary_of(uk).land) / 1e6
    assert land_km2 < len(table) * 4 < 1.15 * land_km2  # blocks on the coast are partly sea


def test_positions_find_their_own_block_and_part_in_it(uk: Region) -> None:
    table = partition_table(uk, BIRMINGHAM)
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(52.41, 52.55, 300), rng.uniform(-2.0, -1.78, 300)
    ground = ground_partition(uk, lat, lon)
    tree = shapely.STRtree(table.geometry.to_numpy())
    point, block = tree.query(shapely.points(lon, lat), predicate="within")
    assert sorted(point) == list(range(300))
    found = table.iloc[block[np.argsort(point)]]
    assert found["block_id"].tolist() == ground["block_id"].tolist()
    assert found["part"].tolist() == ground["part"].tolist()


def test_a_box_across_zones_and_at_the_antimeridian(us: Region) -> None:
    aleutians = partition_table(us, Box(51.0, 172.0, 53.5, 174.5))
    assert aleutians["block_id"].str.startswith("3338-").all()
    assert 100 < len(aleutians) < 1000


def test_the_map_is_the_same_picture_again(uk: Region) -> None:
    table = partition_table(uk, Box(52.45, -1.95, 52.50, -1.88))
    rows = ground_partition(uk, [52.47, 52.48], [-1.92, -1.90]).assign(lat=[52.47, 52.48], lon=[-1.92, -1.90])
    picture = partition_map(uk, table, rows, "Birmingham")
    assert picture.startswith(b"\x89PNG")
    assert picture == partition_map(uk, table, rows, "Birmingham")
    assert picture != partition_map(uk, table)


def test_the_command_writes_a_file_that_geopandas_opens(tmp_path) -> None:
    out = tmp_path / "blocks.parquet"
    command = ["set", "partition", "--region", "uk", "--box", "52.40,-2.02,52.56,-1.76", "--out", str(out)]
    result = CliRunner().invoke(build(), [*command, "--map", str(tmp_path / "blocks.png")])
    assert result.exit_code == 0, result.output
    assert "blocks of 2 km (train 7" in result.output
    table = gpd.read_parquet(out)
    assert table.crs.to_epsg() == 4326
    assert list(table.columns) == ["block_id", "part", "partition_version", "geometry"]
    assert (tmp_path / "blocks.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("box", "line"),
    [("52,-2", "four numbers"), ("53,-2,52,-1", "the smaller ones first"), ("40,0,41,1", "no land of region 'uk'")],
)
def test_a_wrong_box_is_one_line(tmp_path, box: str, line: str) -> None:
    result = CliRunner().invoke(build(), ["set", "partition", "--box", box, "--out", str(tmp_path / "x.parquet")])
    assert isinstance(result.exception, RegionError)
    assert line in str(result.exception)
    assert "\n" not in str(result.exception)
