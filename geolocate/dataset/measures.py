"""What can be told of a picture without knowing what it shows: size, light, detail, hashes, a thumbnail.

In: content hashes of pictures in the store. Out: one row a picture. Each picture is decoded once, at reduced size;
its row is kept in ``store/measures`` by content hash, so that publishing the same pictures again decodes nothing.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from geolocate.collection.validation import commonest_colour
from geolocate.storage import DataRoot, atomic_write

#: Side of the thumbnail in pixels: a fifth of its rows is the sky, a fifth the road and the car.
THUMB = 20
#: Quantisation tables have 64 numbers each; a colour JPEG has one for light and one for colour.
TABLES = 2 * 64

# Changes with anything that changes a measure, so that rows of another version are not taken for ours.
_VERSION = "1"
_SIDE = 64
_THREADS = 4
#: What Pillow raises for a body that is no picture, or only half of one.
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def measure_pictures(root: DataRoot, sha256s: Iterable[str]) -> pd.DataFrame:
    """Measure the pictures of the store, one row each, indexed by ``sha256``; those that are not there have no row.

    Columns: ``readable``; ``bytes``; ``brightness`` (mean grey level, 0 to 255); ``contrast`` (its standard
    deviation); ``detail`` (mean step between neighbouring pixels at 64 × 64, in grey levels); ``common_share`` (share
    of the commonest coarse colour, 0 to 1); ``phash, dhash`` (64-bit perceptual hashes); ``thumb`` (20 × 20 × 3 bytes);
    ``tables`` (the JPEG's two quantisation tables, 128 bytes; zeros where there is none).
    """
    wanted = pd.Index(sorted(set(sha256s)), name="sha256")
    known = _read_cache(root)
    known = known[known.index.isin(wanted)]
    missing = [sha256 for sha256 in wanted.difference(known.index) if root.image(sha256).exists()]
    if not missing:
        return known.reindex(wanted.intersection(known.index))
    with ThreadPoolExecutor(_THREADS) as pool:
        fresh = pd.DataFrame(
            pool.map(measure_picture, map(root.image, missing)), index=pd.Index(missing, name="sha256")
        )
    _write_cache(root, fresh[fresh["readable"]])
    return pd.concat([known, fresh]).sort_index() if len(known) else fresh.sort_index()


def measure_picture(path: Path) -> dict[str, Any]:
    """Measure one picture; one that cannot be decoded has ``readable`` False and nothing else."""
    try:
        with Image.open(path) as image:
            tables = _tables(image)
            # A JPEG decodes at an eighth of its size or more: many times as fast, and enough for all of this.
            image.draft("RGB", (_SIDE, _SIDE))
            small = ImageOps.exif_transpose(image).convert("RGB")
    except UNREADABLE:
        return {"readable": False, "bytes": path.stat().st_size}
    grey = np.asarray(small.resize((_SIDE, _SIDE), Image.Resampling.BOX).convert("L"), dtype=float)
    return {
        "readable": True,
        "bytes": path.stat().st_size,
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "detail": float((np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2),
        "common_share": commonest_colour(np.asarray(small))[0],
        "phash": _as_integer(imagehash.phash(small)),
        "dhash": _as_integer(imagehash.dhash(small)),
        "thumb": small.resize((THUMB, THUMB), Image.Resampling.BOX).tobytes(),
        "tables": tables,
    }


def thumbnails(measures: pd.DataFrame) -> np.ndarray:
    """Give the thumbnails of readable pictures, shape (N, 20, 20, 3), 0 to 255."""
    return np.frombuffer(b"".join(measures["thumb"]), dtype=np.uint8).reshape(-1, THUMB, THUMB, 3)


def forget_measures(root: DataRoot, sha256s: Iterable[str]) -> None:
    """Erase what was measured of these pictures; a thumbnail is a picture too."""
    gone = set(sha256s)
    for path in _folder(root).glob("*.parquet"):
        rows = pd.read_parquet(path)
        kept = rows[~rows.index.isin(gone)]
        if len(kept) < len(rows):
            _write_cache(root, kept)
            path.unlink()


def _tables(image: Image.Image) -> bytes:
    tables: dict[int, list[int]] = getattr(image, "quantization", None) or {}
    numbers = np.zeros(TABLES, dtype=np.uint8)
    for place, key in enumerate(sorted(tables)[:2]):
        numbers[64 * place : 64 * (place + 1)] = np.minimum(tables[key], 255)
    return numbers.tobytes()


def _as_integer(value: imagehash.ImageHash) -> int:
    return int.from_bytes(np.packbits(value.hash.reshape(-1)).tobytes())


def _folder(root: DataRoot) -> Path:
    return root.measures / f"v{_VERSION}"


def _read_cache(root: DataRoot) -> pd.DataFrame:
    frames = [pd.read_parquet(path) for path in sorted(_folder(root).glob("*.parquet"))]
    if not frames:
        return pd.DataFrame(index=pd.Index([], name="sha256", dtype=str))
    rows = pd.concat(frames)
    return rows[~rows.index.duplicated()]


def _write_cache(root: DataRoot, rows: pd.DataFrame) -> None:
    """Add a file named by what it holds: two processes never write to the same one with another content."""
    if rows.empty:
        return
    name = hashlib.sha256("".join(rows.index).encode()).hexdigest()[:16]
    with atomic_write(_folder(root) / f"{name}.parquet") as file:
        rows.astype({"phash": "uint64", "dhash": "uint64"}).to_parquet(file, compression="zstd")
