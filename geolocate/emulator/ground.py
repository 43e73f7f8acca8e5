"""Read the ground's rasters: coast, relief, climate, land cover, towns.

In: a position. Out: numbers, interpolated between the cells, or None outside the mapped part of the world.
The rasters are built by scripts/build_emulator_world.py; data/SOURCES.md says from what.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import cast

import numpy as np
from numpy.typing import NDArray

from geolocate.errors import StorageError

Bytes = NDArray[np.uint8]

#: Köppen-Geiger main classes.
TROPICAL, ARID, TEMPERATE, COLD, POLAR = 1, 2, 3, 4, 5
#: IGBP land cover classes, grouped.
FOREST = frozenset({1, 2, 3, 4, 5})
SHRUB = frozenset({6, 7, 8, 9})
GRASS = frozenset({10, 11})
CROPS = frozenset({12, 14})
BARREN = frozenset({15, 16})


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a position lies among a box's cells: the corner cell and the weights of its four neighbours."""

    box: "GroundBox"
    row: int
    column: int
    weights: tuple[float, float, float, float]

    def bytes_at(self, band: str) -> tuple[int, int, int, int]:
        """The four surrounding cells' bytes."""
        (north_west, north_east), (south_west, south_east) = self._square(band)
        return north_west, north_east, south_west, south_east

    def _square(self, band: str) -> list[list[int]]:
        return cast(
            list[list[int]], self.box.bands[band][self.row : self.row + 2, self.column : self.column + 2].tolist()
        )

    def value(self, band: str) -> float:
        """The band between the four cells, in the units of its bytes."""
        north_west, north_east, south_west, south_east = self.weights
        (first, second), (third, fourth) = self._square(band)
        return north_west * first + north_east * second + south_west * third + south_east * fourth

    def share(self, band: str, classes: frozenset[int]) -> float:
        """How much of the ground around belongs to the classes, 0 to 1."""
        return sum(w for w, b in zip(self.weights, self.bytes_at(band), strict=True) if b in classes)

    def nearest(self, band: str) -> int:
        """The band at the nearest cell."""
        return self.bytes_at(band)[self.weights.index(max(self.weights))]

    def nearest_centre(self) -> tuple[float, float]:
        """Latitude and longitude of the nearest cell's centre."""
        index = self.weights.index(max(self.weights))
        row, column = self.row + index // 2, self.column + index % 2
        return self.box.north - (row + 0.5) * self.box.step, self.box.west + (column + 0.5) * self.box.step

    def slope(self, band: str) -> tuple[float, float]:
        """How the band grows towards the east and towards the north, per cell."""
        north_west, north_east, south_west, south_east = self.bytes_at(band)
        east = (north_east + south_east - north_west - south_west) / 2
        return east, (north_west + north_east - south_west - south_east) / 2


@dataclass(frozen=True, slots=True)
class GroundBox:
    """One rectangle of the world; rows run from north to south."""

    north: float
    west: float
    step: float
    bands: dict[str, Bytes]

    def cell(self, lat: float, lon: float) -> Cell | None:
        """Return the cells around a position, or None outside this box."""
        rows, columns = self.bands["coast"].shape
        y = (self.north - lat) / self.step - 0.5
        x = (lon - self.west) / self.step - 0.5
        if not (0 <= y < rows - 1 and 0 <= x < columns - 1):
            return None
        row, column = int(y), int(x)
        down, right = y - row, x - column
        weights = ((1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right)
        return Cell(self, row, column, weights)


@lru_cache(maxsize=1)
def load_ground() -> tuple[GroundBox, ...]:
    """Read all boxes; about 7 MB of memory.

    Raises StorageError when the file is missing from the installation.
    """
    path = files("geolocate.emulator") / "data" / "ground.npz"
    if not path.is_file():
        raise StorageError(f"no file {path}: install the package again, the emulator's ground belongs to it")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    names = sorted(name.removesuffix(".box") for name in arrays if name.endswith(".box"))
    return tuple(_box(name, arrays) for name in names)


def _box(name: str, arrays: dict[str, NDArray[np.generic]]) -> GroundBox:
    _, north, west, _, step = (float(value) for value in arrays[f"{name}.box"].tolist())
    prefix = f"{name}."
    bands = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    del bands["box"]
    return GroundBox(north, west, step, cast(dict[str, Bytes], bands))


def ground_at(lat: float, lon: float) -> Cell | None:
    """Return the cells around a position, or None where the world is not mapped."""
    for box in load_ground():
        if (cell := box.cell(lat, lon)) is not None:
            return cell
    return None
