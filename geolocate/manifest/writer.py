"""Write manifest rows as GeoParquet: beside, then renamed."""

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geolocate.errors import ManifestError
from geolocate.manifest.schema import MANIFEST_SCHEMA, SCHEMA_VERSION
from geolocate.storage import atomic_write


def write_manifest(rows: pd.DataFrame, path: Path) -> None:
    """Write one row an image to ``path``; the point geometry is made from ``lat`` and ``lon``.

    Columns beyond the schema are kept. Raises ManifestError when a column of the schema is missing.
    """
    missing = [name for name in MANIFEST_SCHEMA.names if name not in rows.columns]
    if missing:
        raise ManifestError(f"manifest rows lack the columns {', '.join(missing)}")
    with atomic_write(path) as file:
        pq.write_table(_table(rows), file, compression="zstd")


def _table(rows: pd.DataFrame) -> pa.Table:
    plain = rows.drop(columns="geometry", errors="ignore").sort_values("image_id").reset_index(drop=True)
    frame = gpd.GeoDataFrame(plain, geometry=gpd.points_from_xy(plain["lon"], plain["lat"]), crs="EPSG:4326")
    table = pa.table(frame.to_arrow(index=False, geometry_encoding="WKB"))
    schema = pa.schema([_typed(field) for field in table.schema])
    # geopandas writes the "geo" entry of the GeoParquet standard only through its own file writer.
    # Without a "crs" of its own, a column is in longitude, latitude of WGS 84 (OGC:CRS84).
    column: dict[str, object] = {"encoding": "WKB", "geometry_types": ["Point"]}
    if len(frame):
        column["bbox"] = [float(side) for side in frame.total_bounds]
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    metadata = {"schema_version": SCHEMA_VERSION, "geo": json.dumps(geo)}
    return table.cast(schema).replace_schema_metadata(metadata)


def _typed(field: pa.Field) -> pa.Field:
    """Give a column the schema's type, so that an all-empty column is still text."""
    position = MANIFEST_SCHEMA.get_field_index(field.name)
    return field if position < 0 else MANIFEST_SCHEMA.field(position)
