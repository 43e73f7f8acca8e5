"""A dataset version of a few coloured pictures, small enough to train on in a test."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from geolocate.dataset.versions import DatasetRef, DatasetVersion
from geolocate.storage import DataRoot, sha256_of

CITIES = ["Leeds", "Bristol", "Glasgow", "Norwich", "Cardiff"]


def picture(rng: np.random.Generator, colour: np.ndarray, side: int = 64) -> bytes:
    """A JPEG of noise around a colour."""
    pixels = np.clip(colour + rng.normal(0, 40, (side // 4, side // 4, 3)), 0, 255).astype(np.uint8)
    body = io.BytesIO()
    Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).save(body, "JPEG", quality=85)
    return body.getvalue()


def small_dataset(root: DataRoot, seed: int = 0, places: int = 12) -> DatasetVersion:
    """Five cities with ``places`` panoramas of three views each; a sixth of the places each val and test."""
    rng = np.random.default_rng(seed)
    rows = [row for number, city in enumerate(CITIES) for row in _city_rows(root, rng, number, city, places)]
    frame = pd.DataFrame(rows)
    classes = frame[["class_id", "class_name", "caption"]].drop_duplicates().sort_values("class_id")
    card = {"region": "uk", "level": "city", "partition_version": "uk-1", "world": "emulated"}
    ref = DatasetRef("small", f"v{seed}", sha256_of(frame.to_csv().encode()))
    return DatasetVersion(Path("nowhere"), ref, card, frame, classes.reset_index(drop=True))


def _city_rows(root: DataRoot, rng: np.random.Generator, number: int, city: str, places: int) -> list[dict]:
    colour = rng.uniform(40, 215, 3)
    middle = rng.uniform([51, -4], [55, 0])
    rows = []
    for place in range(places):
        lat, lon = middle + rng.normal(0, 0.03, 2)
        for heading in (0.0, 90.0, 180.0):
            body = picture(rng, colour)
            path = root.image(sha256_of(body))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            rows.append(
                {
                    "image_id": f"{city}-{place:03d}-{heading:g}",
                    "source_id": f"{city}-{place:03d}",
                    "panorama_id": f"{city}-{place:03d}",
                    "sha256": sha256_of(body),
                    "heading": heading,
                    "lat": lat,
                    "lon": lon,
                    "class_id": f"gn{number}",
                    "class_name": city,
                    "caption": f"City: {city}",
                    "part": {0: "val", 1: "test"}.get(place % 6, "train"),
                    "license": "CC0-1.0",
                    "rights_basis": "own",
                }
            )
    return rows
