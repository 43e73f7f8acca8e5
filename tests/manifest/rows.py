"""Manifest rows for tests, from a seed."""

import numpy as np
import pandas as pd

from geolocate.manifest import image_id
from geolocate.records import View
from geolocate.storage import sha256_of

HEADINGS = (0.0, 90.0, 180.0)


def manifest_rows(panoramas: int, *, lat: float = 51.5, lon: float = -0.12, spread: float = 0.1, seed: int = 0):
    """Rows of ``panoramas`` panoramas with three views each, spread in degrees around a position."""
    rng = np.random.default_rng(seed)
    positions = rng.normal((lat, lon), spread, size=(panoramas, 2))
    return pd.DataFrame([_row(seed, i, *positions[i], heading) for i in range(panoramas) for heading in HEADINGS])


def _row(seed, number, lat, lon, heading):
    source = f"pano-{seed:04d}-{number:08d}"
    view = View(heading)
    return {
        "image_id": image_id("google", source, view),
        "provider": "google",
        "source_id": source,
        "panorama_id": source,
        "sequence_id": None,
        "creator": None,
        "camera": None,
        "heading": heading,
        "pitch": view.pitch,
        "fov": view.fov,
        "width": view.width,
        "height": view.height,
        "lat": lat,
        "lon": lon,
        "requested_lat": lat,
        "requested_lon": lon,
        "snap_m": 0.0,
        "sample_weight": 1.0,
        "captured": f"{2010 + number % 15}-{1 + number * 7 % 12:02d}",
        "country": "GB",
        "admin1": "GB-ENG",
        "admin2": None,
        "license": "CC0-1.0",
        "attribution": "made for a test",
        "rights_basis": "own",
        "world": "emulated",
        "terms_version": "1",
        "retain_until": None,
        "sha256": sha256_of(f"{source}{heading}".encode()),
        "bytes": 1,
        "fetched_at": "2026-01-01T00:00:00Z",
        "point_id": f"p{number}",
        "group_id": "g",
    }
