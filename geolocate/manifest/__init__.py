"""The manifest: one row an image, as GeoParquet that pandas, geopandas and DuckDB read."""

from geolocate.manifest.panoramas import one_a_panorama
from geolocate.manifest.reader import read_manifest, read_manifest_columns
from geolocate.manifest.schema import MANIFEST_SCHEMA, SCHEMA_VERSION, image_id
from geolocate.manifest.writer import write_manifest

__all__ = [
    "MANIFEST_SCHEMA",
    "SCHEMA_VERSION",
    "image_id",
    "one_a_panorama",
    "read_manifest",
    "read_manifest_columns",
    "write_manifest",
]
