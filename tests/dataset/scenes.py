"""Pictures for tests, drawn from a seed and put into a store, and manifest rows that name them."""

import io

import numpy as np
from PIL import Image

from geolocate.storage import sha256_of
from tests.manifest.rows import manifest_rows

SIDE = 96


def scene(seed, brightness=0.0):
    """A picture of soft coloured patches and fine noise: no two seeds look alike."""
    rng = np.random.default_rng(seed)
    patches = Image.fromarray(rng.integers(30, 225, (6, 6, 3), dtype=np.uint8)).resize((SIDE, SIDE), Image.BICUBIC)
    pixels = np.asarray(patches, float) + rng.normal(0, 6, (SIDE, SIDE, 3)) + brightness
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def flat(level):
    """A picture of one grey."""
    return Image.new("RGB", (SIDE, SIDE), (level,) * 3)


def stored(root, image, quality=85):
    """Put a picture into the store as a JPEG; return its hash and size."""
    body = io.BytesIO()
    image.save(body, "JPEG", quality=quality)
    sha256 = sha256_of(body.getvalue())
    root.image(sha256).parent.mkdir(parents=True, exist_ok=True)
    root.image(sha256).write_bytes(body.getvalue())
    return sha256, len(body.getvalue())


def with_pictures(root, rows, draw, quality=lambda row: 85):
    """Give each row a picture of its own: ``draw`` and ``quality`` take the row's number and the row."""
    rows = rows.reset_index(drop=True)
    put = [stored(root, draw(number, row), quality(row)) for number, row in enumerate(rows.to_dict("records"))]
    return rows.assign(sha256=[sha256 for sha256, _ in put], bytes=[size for _, size in put])


def placed_rows(panoramas, seed=0, **where):
    """Manifest rows with labels of one class and part, for judging without a region."""
    rows = manifest_rows(panoramas, seed=seed, **where)
    return rows.assign(class_id="a", part="train", block_id="b")
