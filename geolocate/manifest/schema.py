"""The columns of a manifest, their types and their version.

The major version changes when a reader of the old one would be wrong; the minor one when columns are added.
"""

import hashlib

import pyarrow as pa

from geolocate.records import View

SCHEMA_VERSION = "1.1"

MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("provider", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        # Shared by the views of one place: a panorama's source_id, or that of the first of its flat photographs.
        pa.field("panorama_id", pa.string(), nullable=False),
        pa.field("sequence_id", pa.string()),
        pa.field("creator", pa.string()),
        pa.field("camera", pa.string()),
        pa.field("heading", pa.float64(), nullable=False),
        pa.field("pitch", pa.float64(), nullable=False),
        pa.field("fov", pa.float64(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("lat", pa.float64(), nullable=False),
        pa.field("lon", pa.float64(), nullable=False),
        pa.field("requested_lat", pa.float64(), nullable=False),
        pa.field("requested_lon", pa.float64(), nullable=False),
        pa.field("snap_m", pa.float64(), nullable=False),
        pa.field("sample_weight", pa.float64(), nullable=False),
        pa.field("captured", pa.string()),
        pa.field("country", pa.string()),
        pa.field("admin1", pa.string()),
        pa.field("admin2", pa.string()),
        pa.field("license", pa.string(), nullable=False),
        pa.field("attribution", pa.string(), nullable=False),
        pa.field("rights_basis", pa.string(), nullable=False),
        pa.field("world", pa.string(), nullable=False),
        pa.field("terms_version", pa.string(), nullable=False),
        pa.field("retain_until", pa.string()),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("fetched_at", pa.string(), nullable=False),
        pa.field("point_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
    ]
)

#: Columns that an older manifest of the same major version lacks; the reader fills them.
ADDED = frozenset({"panorama_id"})


def image_id(provider: str, source_id: str, view: View) -> str:
    """Name an image by what it is a picture of, never by where it stood in a batch.

    The same panorama seen the same way has the same id in every collection.
    """
    key = f"{provider}|{source_id}|{view.heading:g}|{view.pitch:g}|{view.fov:g}|{view.width}x{view.height}"
    return hashlib.sha256(key.encode()).hexdigest()[:24]
