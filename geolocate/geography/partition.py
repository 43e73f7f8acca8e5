"""Split the ground itself, once, so that a training place of one dataset is never a test place of another.

In: positions. Out: for each its block, the part that the block belongs to, and whether it lies too close to test
ground. Blocks are square standard cells of the zone's CRS; a keyed hash of the block's id decides its part, so
the table need not be stored, and no dataset, provider or refresh can change it.
"""

import hashlib
import itertools
import json
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from geolocate.errors import DatasetError, RegionError
from geolocate.geography.cells import Ints, cell_code, cell_index, unique_cells
from geolocate.geography.distances import nearest_km
from geolocate.geography.projections import Floats, Projected, project
from geolocate.geography.regions import Region

# Equal-area projections stretch one direction by up to 2 % within their zones (measured on both regions), so the
# buffer is drawn that much wider on the map and is never narrower than promised on the ground.
_STRETCH = 1.02


def partition_version(region: Region) -> str:
    """Return the name of the region's partition, which changes with anything that would move a block."""
    rules = region.partition.model_dump() | {"zones": [zone.model_dump() for zone in region.zones]}
    digest = hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:8]
    return f"{region.name}-{region.partition.block_km:g}km-v{region.partition.version}-{digest}"


def ground_partition(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike) -> pd.DataFrame:
    """Return block_id, part (train, val, calibration or test) and in_buffer of each position.

    ``in_buffer`` marks a position outside test blocks but within ``buffer_km`` of a test block's square: such rows
    are left out of every part. Raises RegionError for a position that is in no zone of the region.
    """
    at = project(region, lat, lon)
    _refuse_outside(region, lat, lon, at)
    size_m = round(region.partition.block_km * 1000)
    table = pd.DataFrame(
        {"block_id": "", "part": "", "in_buffer": False}, index=range(len(at.zone)), columns=_COLUMNS
    ).astype({"in_buffer": bool})
    for index in range(len(region.zones)):
        here = np.flatnonzero(at.zone == index)
        x, y = at.x[here], at.y[here]
        column, row = cell_index(size_m, x), cell_index(size_m, y)
        cells, number = unique_cells(column, row)
        codes = np.array([cell_code(region.zones[index].id_prefix, size_m, *cell) for cell in cells], dtype=object)
        parts = np.array([_part(region, code) for code in codes], dtype=object)
        if len(here):
            near = _near_test(region, index, x - column * size_m, y - row * size_m, cells, number)
            table.loc[here, "block_id"] = codes[number]
            table.loc[here, "part"] = parts[number]
            table.loc[here, "in_buffer"] = near & (parts[number] != "test")
    return table


_COLUMNS = ["block_id", "part", "in_buffer"]


def _refuse_outside(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike, at: Projected) -> None:
    outside = np.flatnonzero((at.zone < 0) | ~np.isfinite(at.x))
    if len(outside):
        first = int(outside[0])
        where = f"{np.atleast_1d(lat)[first]}, {np.atleast_1d(lon)[first]}"
        raise RegionError(f"position {where} is outside region {region.name!r}: drop such rows before splitting")


@cache
def _part(region: Region, block_id: str) -> str:
    rules = region.partition
    digest = hashlib.blake2b(block_id.encode(), key=rules.key.encode(), digest_size=8).digest()
    draw = int.from_bytes(digest) / 2.0**64
    for part, bound in zip(rules.shares, itertools.accumulate(rules.shares.values()), strict=True):
        if draw < bound:
            return part
    return next(reversed(rules.shares))


def _near_test(
    region: Region, zone: int, dx: Floats, dy: Floats, cells: list[tuple[int, int]], number: Ints
) -> npt.NDArray[np.bool_]:
    """Measure from each position, dx and dy metres into its block, to the squares of the test blocks around it."""
    size_m = round(region.partition.block_km * 1000)
    reach = region.partition.buffer_km * 1000 * _STRETCH
    prefix = region.zones[zone].id_prefix
    near = np.zeros(len(dx), dtype=bool)
    for step_x, step_y in itertools.product((-1, 0, 1), repeat=2):
        if step_x == step_y == 0:
            continue
        is_test = np.array(
            [_part(region, cell_code(prefix, size_m, col + step_x, row + step_y)) == "test" for col, row in cells]
        )
        gap_x = {-1: dx, 0: np.zeros_like(dx), 1: size_m - dx}[step_x]
        gap_y = {-1: dy, 0: np.zeros_like(dy), 1: size_m - dy}[step_y]
        near |= is_test[number] & (np.hypot(gap_x, gap_y) <= reach)
    return near


def assert_no_shared_ground(train: pd.DataFrame, test: pd.DataFrame, buffer_km: float) -> None:
    """Prove that no training row (lat, lon) lies within ``buffer_km`` of a test row, or raise DatasetError."""
    if train.empty or test.empty:
        return
    gap = nearest_km(train["lat"], train["lon"], test["lat"], test["lon"])
    if gap.min() < buffer_km:
        worst = train.iloc[int(np.argmin(gap))]
        raise DatasetError(
            f"{int((gap < buffer_km).sum())} training rows lie within {buffer_km:g} km of test rows, the nearest at "
            f"{worst['lat']:.5f}, {worst['lon']:.5f} ({gap.min():.3f} km): leave out the rows that are in_buffer"
        )
