"""Predicted-versus-true pictures in the study's manner, of panoramas whose rights allow to show them.

In: a run's predictions. Out: a seeded sample of panoramas with their views as small JPEGs.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from geolocate.dataset.rights import allowed, policy_in_force
from geolocate.storage import DataRoot

SAMPLE = 12
_SIDE = 180


@dataclass(frozen=True, slots=True)
class PictureTile:
    """One panorama: its views, what is true, what was predicted."""

    views: tuple[bytes, ...]
    true_name: str
    predicted_name: str
    correct: bool
    km: float
    probability: float | None
    credit: str


def picture_tiles(root: DataRoot, predictions: pd.DataFrame, sample: int = SAMPLE, seed: int = 0) -> list[PictureTile]:
    """Draw panoramas at random, not by how well they went; forgotten and unreadable ones are passed over."""
    # A report is passed on.
    showable = predictions[allowed(policy_in_force(), predictions, "redistribute")]
    order = np.random.default_rng(seed).permutation(len(showable))
    tiles: list[PictureTile] = []
    for row in showable.iloc[order].to_dict(orient="records"):
        if len(tiles) == sample:
            break
        views = [view for view in (_view(root, str(sha256)) for sha256 in row["sha256s"]) if view]
        if views:
            tiles.append(_tile(row, tuple(views)))
    return tiles


def _tile(row: dict[Any, Any], views: tuple[bytes, ...]) -> PictureTile:
    return PictureTile(
        views=views,
        true_name=str(row["class_name"]),
        predicted_name=str(row["predicted_class_name"]),
        correct=bool(row["correct"]),
        km=float(row["km"]),
        probability=float(row["confidence"]) if pd.notna(row["confidence"]) else None,
        credit=f"{row['attribution']}, {row['license']}",
    )


def _view(root: DataRoot, sha256: str) -> bytes | None:
    try:
        with Image.open(root.image(sha256)) as image:
            image.draft("RGB", (_SIDE, _SIDE))
            small = image.convert("RGB")
            small.thumbnail((_SIDE, _SIDE))
    except (OSError, UnidentifiedImageError):
        return None
    body = io.BytesIO()
    small.save(body, "JPEG", quality=80)
    return body.getvalue()
