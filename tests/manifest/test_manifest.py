"""A manifest survives the round trip, is read by the usual tools, and what is none is refused."""

import json

import duckdb
import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geolocate.errors import ManifestError
from geolocate.manifest import MANIFEST_SCHEMA, image_id, read_manifest, write_manifest
from geolocate.records import View
from tests.manifest.rows import manifest_rows


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "manifest" / "0000.parquet"
    write_manifest(manifest_rows(5), target)
    return target


def test_rows_come_back_as_they_were_written(path):
    expected = manifest_rows(5).sort_values("image_id").reset_index(drop=True).dropna(axis=1)
    found = pd.DataFrame(read_manifest(path).drop(columns="geometry")).dropna(axis=1)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_pandas_geopandas_and_duckdb_read_it(path):
    assert len(pd.read_parquet(path)) == 15
    geometry = gpd.read_parquet(path).geometry
    assert geometry.x.between(-2, 2).all()
    assert geometry.y.between(50, 53).all()
    assert duckdb.sql(f"select count(*) from '{path}' where heading = 90").fetchall() == [(5,)]


def test_the_geo_entry_is_what_geoparquet_1_1_asks_for(path):
    """What QGIS's reader goes by (GDAL's Parquet driver; the pyogrio wheel lacks it), by the standard's words.

    Version, primary column, WKB encoding, types, x = longitude and y = latitude in OGC:CRS84, which a column without
    ``crs`` is in, and a bbox of xmin, ymin, xmax, ymax that holds every point.
    """
    table = pq.read_table(path)
    geo = json.loads(table.schema.metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    [column] = geo["columns"].values()
    assert set(column) == {"encoding", "geometry_types", "bbox"}
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Point"])
    assert table.schema.field("geometry").type == pa.binary()
    points = shapely.from_wkb(table["geometry"].to_pylist())
    assert shapely.get_type_id(points).tolist() == [0] * 15
    assert shapely.get_x(points).tolist() == table["lon"].to_pylist()
    assert shapely.get_y(points).tolist() == table["lat"].to_pylist()
    assert column["bbox"] == pytest.approx(shapely.total_bounds(points))
    assert gpd.read_parquet(path).crs == "OGC:CRS84"


def test_an_all_empty_column_keeps_its_type(path):
    schema = pq.read_schema(path)
    assert schema.field("sequence_id").type == MANIFEST_SCHEMA.field("sequence_id").type


def test_a_column_that_is_not_in_the_schema_is_kept(tmp_path):
    write_manifest(manifest_rows(1).assign(weather="rain"), tmp_path / "a.parquet")
    assert set(read_manifest(tmp_path / "a.parquet")["weather"]) == {"rain"}


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(ManifestError, match="heading"):
        write_manifest(manifest_rows(1).drop(columns="heading"), tmp_path / "a.parquet")


def test_a_newer_major_version_is_refused_with_what_to_do(path):
    table = pq.read_table(path)
    metadata = {**table.schema.metadata, b"schema_version": b"2.0"}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(ManifestError, match=r"2\.0.*1\.x.*update"):
        read_manifest(path)


def test_foreign_empty_and_absent_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.parquet").write_text("not parquet")
    manifest_rows(1).to_parquet(tmp_path / "foreign.parquet")
    write_manifest(manifest_rows(1).iloc[:0], tmp_path / "empty.parquet")
    for name, reason in [("text", "not a Parquet file"), ("foreign", "no schema_version"), ("empty", "no rows")]:
        with pytest.raises(ManifestError, match=reason) as caught:
            read_manifest(tmp_path / f"{name}.parquet")
        assert "\n" not in str(caught.value)
    (tmp_path / "none").mkdir()
    with pytest.raises(ManifestError, match="no manifest in"):
        read_manifest(tmp_path / "none")


views = st.builds(
    View,
    heading=st.integers(0, 359).map(float),
    pitch=st.integers(-90, 90).map(float),
    fov=st.integers(10, 120).map(float),
    width=st.integers(1, 640),
    height=st.integers(1, 640),
)


@given(st.text(min_size=1, max_size=30), views, views)
def test_an_image_id_names_exactly_one_view_of_a_panorama(source, one, other):
    assert (image_id("google", source, one) == image_id("google", source, other)) == (one == other)
