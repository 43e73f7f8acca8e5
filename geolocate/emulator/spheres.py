"""Draw whole 360° pictures from level views.

In: the four views ahead, right, behind and left of a camera. Out: an equirectangular picture, twice as wide as high,
whose middle looks ahead. Above and below what the views show, their outermost pixels go on: a view that is cut out
level, 90° wide and not higher than wide, shows none of that.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geolocate.emulator.camera import Camera

#: Pixels across a view of 90°, and down: enough for 60° up and down at its edges.
_ACROSS = 320
_DOWN = 2 * math.ceil(_ACROSS / 2 * math.tan(math.radians(60)) / math.cos(math.radians(45)))
_TURNS = (0.0, 90.0, 180.0, 270.0)


def cameras_around(azimuth: float) -> list[Camera]:
    """Return the cameras whose views make up a 360° picture, the one ahead first."""
    return [Camera((azimuth + turn) % 360, 0.0, 90.0, _ACROSS, _DOWN) for turn in _TURNS]


def sphere_of(views: Sequence[Image.Image], width: int) -> Image.Image:
    """Put the four views together; the picture is made as fine as they are, then scaled to ``width`` pixels."""
    column, row = _where_from()
    parts = [np.asarray(view.convert("RGB"))[row, column] for view in views]
    ahead, right, behind, left = parts
    half = ahead.shape[1] // 2
    around = np.concatenate([behind[:, half:], left, ahead, right, behind[:, :half]], axis=1)
    return Image.fromarray(around).resize((width, width // 2), Image.Resampling.BICUBIC)


@lru_cache(maxsize=1)
def _where_from() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return column and row of the view's pixel for each of (rows, columns) of a quarter of the sphere."""
    focal = _ACROSS / 2
    yaw = np.radians((np.arange(_ACROSS) + 0.5) / _ACROSS * 90 - 45)
    up = np.radians(90 - (np.arange(2 * _ACROSS) + 0.5) / (2 * _ACROSS) * 180)
    column = np.broadcast_to(_ACROSS / 2 + focal * np.tan(yaw), (len(up), len(yaw)))
    row = _DOWN / 2 - focal * np.tan(np.clip(up, -1.55, 1.55))[:, None] / np.cos(yaw)
    return (
        np.clip(np.floor(column), 0, _ACROSS - 1).astype(np.intp),
        np.clip(np.floor(row), 0, _DOWN - 1).astype(np.intp),
    )
