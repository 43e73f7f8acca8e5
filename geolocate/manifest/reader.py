"""Read manifests, and refuse what is none."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geolocate.errors import ManifestError
from geolocate.manifest.schema import ADDED, MANIFEST_SCHEMA, SCHEMA_VERSION


def read_manifest(path: Path) -> gpd.GeoDataFrame:
    """Read a manifest file, or a folder of them, in the order of their names.

    Unknown columns are kept. Raises ManifestError for a file that is no manifest, or whose major ``schema_version``
    is another than this code's; and for a manifest without rows.
    """
    frames = [_read_one(file) for file in _files(path)]
    rows = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    if rows.empty:
        raise ManifestError(f"the manifest {path} has no rows: see outcomes.parquet beside it for the reasons")
    return gpd.GeoDataFrame(rows, geometry="geometry").set_crs("EPSG:4326", allow_override=True)


def read_manifest_columns(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read some columns of a manifest's rows, without geometry, ten times as fast; a manifest may have no rows.

    Raises ManifestError for a file that is no manifest, or whose major ``schema_version`` is another.
    """
    files = _files(path)
    for file in files:
        _checked_schema(file)
    return pd.DataFrame(pa.concat_tables([pq.read_table(file, columns=columns) for file in files]).to_pandas())


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not path.exists():
        raise ManifestError(f"no manifest in {path}: run `geolocate data collect` for it first")
    return files


def _read_one(file: Path) -> gpd.GeoDataFrame:
    _checked_schema(file)
    rows = gpd.read_parquet(file)
    if "panorama_id" not in rows:  # written before version 1.1, when each picture was cut from a panorama of its own
        rows["panorama_id"] = rows["source_id"]
    return rows


def _checked_schema(file: Path) -> None:
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise ManifestError(
            f"{file} is not a Parquet file ({type(error).__name__}): collect or import it again"
        ) from error
    _check(file, schema)


def _check(file: Path, schema: pa.Schema) -> None:
    found = (schema.metadata or {}).get(b"schema_version", b"").decode()
    if not found:
        raise ManifestError(f"{file} is not a manifest: its metadata has no schema_version")
    if found.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ManifestError(
            f"{file} has schema_version {found}, this program reads {SCHEMA_VERSION.split('.')[0]}.x: "
            "update the program, or collect again"
        )
    missing = [name for name in MANIFEST_SCHEMA.names if name not in {*schema.names, *ADDED}]
    if missing:
        raise ManifestError(f"{file} lacks the manifest columns {', '.join(missing)}")
