"""Read manifests, and refuse what is none."""

from pathlib import Path
from typing import Literal

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geolocate.errors import ManifestError
from geolocate.manifest.schema import MANIFEST_SCHEMA, SCHEMA_VERSION


def read_manifest(path: Path, if_empty: Literal["refuse", "keep"] = "refuse") -> gpd.GeoDataFrame:
    """Read a manifest file, or a folder of them, in the order of their names.

    Unknown columns are kept. Raises ManifestError for a file that is no manifest, or whose major ``schema_version``
    is another than this code's; and, unless told to keep it, for a manifest without rows.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not path.exists():
        raise ManifestError(f"no manifest in {path}: run `geolocate data collect` for it first")
    frames = [_read_one(file) for file in files]
    rows = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    if rows.empty and if_empty == "refuse":
        raise ManifestError(f"the manifest {path} has no rows: see outcomes.parquet beside it for the reasons")
    return gpd.GeoDataFrame(rows, geometry="geometry").set_crs("EPSG:4326", allow_override=True)


def _read_one(file: Path) -> gpd.GeoDataFrame:
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise ManifestError(
            f"{file} is not a Parquet file ({type(error).__name__}): collect or import it again"
        ) from error
    _check(file, schema)
    return gpd.read_parquet(file)


def _check(file: Path, schema: pa.Schema) -> None:
    found = (schema.metadata or {}).get(b"schema_version", b"").decode()
    if not found:
        raise ManifestError(f"{file} is not a manifest: its metadata has no schema_version")
    if found.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ManifestError(
            f"{file} has schema_version {found}, this program reads {SCHEMA_VERSION.split('.')[0]}.x: "
            "update the program, or collect again"
        )
    missing = [name for name in MANIFEST_SCHEMA.names if name not in schema.names]
    if missing:
        raise ManifestError(f"{file} lacks the manifest columns {', '.join(missing)}")
