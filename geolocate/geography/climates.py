"""Say which climate a position has: Köppen and Geiger's main classes, a value every tenth of a degree, world-wide.

In: positions. Out: words. Positions at sea have the climate of the nearest land.
"""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FILE = Path(__file__).parent / "climate" / "climate.npz"

#: The words, by the number in the raster.
CLIMATES = {1: "tropical", 2: "arid", 3: "temperate", 4: "cold", 5: "polar"}


def climates_at(lat: npt.ArrayLike, lon: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Return the climate of each position (degrees, WGS84): one of ``CLIMATES``' words."""
    classes = _raster()
    rows, columns = classes.shape
    row = np.floor((90.0 - np.asarray(lat, dtype=float)) * rows / 180.0).astype(int).clip(0, rows - 1)
    column = np.floor((np.asarray(lon, dtype=float) + 180.0) * columns / 360.0).astype(int) % columns
    words = np.array(["", *CLIMATES.values()])
    return np.asarray(words[classes[row, column]])


@cache
def _raster() -> npt.NDArray[np.uint8]:
    with np.load(_FILE, allow_pickle=False) as file:
        return np.asarray(file["classes"])
