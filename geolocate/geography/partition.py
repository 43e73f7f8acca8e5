"""Split the ground itself, once, so that a training place of one dataset is never a test place of another.

In: positions. Out: for each its block, the part that the block belongs to, and whether it lies too close to test
ground. Blocks are square standard cells of the zone's CRS; a keyed hash of the block's id decides its part, so
the table need not be stored, and no dataset, provider or refresh can change it.
"""

import hashlib
import itertools
import json

import numpy as np
import numpy.typing as npt
import pandas as pd

from geolocate.errors import DatasetError, RegionError
from geolocate.geography.cells import Ints, Texts, cell_code, cell_index, unique_cells
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
    block_id, part = (np.full(len(at.zone), "", dtype=object) for _ in range(2))
    in_buffer = np.zeros(len(at.zone), dtype=bool)
    for zone in range(len(region.zones)):
        here = np.flatnonzero(at.zone == zone)
        x, y = at.x[here], at.y[here]
        codes, parts, number = _blocks(region, zone, cell_index(size_m, x), cell_index(size_m, y))
        block_id[here], part[here] = codes[number], parts[number]
        in_buffer[here] = _near_test(region, zone, x, y) & (parts[number] != "test")
    return pd.DataFrame({"block_id": block_id, "part": part, "in_buffer": in_buffer})


def _refuse_outside(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike, at: Projected) -> None:
    outside = np.flatnonzero((at.zone < 0) | ~np.isfinite(at.x))
    if len(outside):
        first = int(outside[0])
        where = f"{np.atleast_1d(lat)[first]}, {np.atleast_1d(lon)[first]}"
        raise RegionError(f"position {where} is outside region {region.name!r}: drop such rows before splitting")


def _part(region: Region, block_id: str) -> str:
    rules = region.partition
    digest = hashlib.blake2b(block_id.encode(), key=rules.key.encode(), digest_size=8).digest()
    draw = int.from_bytes(digest) / 2.0**64
    for part, bound in zip(rules.shares, itertools.accumulate(rules.shares.values()), strict=True):
        if draw < bound:
            return part
    return next(reversed(rules.shares))


def _near_test(region: Region, zone: int, x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    """Measure from each position to the squares of the test blocks beside its own."""
    size_m = round(region.partition.block_km * 1000)
    reach = region.partition.buffer_km * 1000 * _STRETCH
    column, row = cell_index(size_m, x), cell_index(size_m, y)
    dx, dy = x - column * size_m, y - row * size_m
    near = np.zeros(len(x), dtype=bool)
    for step_x, step_y in itertools.product((-1, 0, 1), repeat=2):
        if step_x == step_y == 0:
            continue
        gap_x = {-1: dx, 0: np.zeros_like(dx), 1: size_m - dx}[step_x]
        gap_y = {-1: dy, 0: np.zeros_like(dy), 1: size_m - dy}[step_y]
        close = np.flatnonzero(np.hypot(gap_x, gap_y) <= reach)
        _, parts, number = _blocks(region, zone, column[close] + step_x, row[close] + step_y)
        near[close] |= parts[number] == "test"
    return near


def _blocks(region: Region, zone: int, column: Ints, row: Ints) -> tuple[Texts, Texts, Ints]:
    """Return the codes and parts of the different blocks, and for each position the number of its block."""
    size_m = round(region.partition.block_km * 1000)
    cells, number = unique_cells(column, row)
    codes = [cell_code(region.zones[zone].id_prefix, size_m, *cell) for cell in cells]
    parts = [_part(region, code) for code in codes]
    return np.array(codes, dtype=object), np.array(parts, dtype=object), number


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
