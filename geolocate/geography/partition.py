"""Split the ground itself, once, so that a training place of one dataset is never a test place of another.

In: positions. Out: for each its block, the part that the block belongs to, whether it lies too close to test ground,
and whether its small cell belongs to the probability sample. Blocks and cells are square standard cells of the zone's
CRS; a keyed hash of the id decides, so the table need not be stored, and no dataset, provider or refresh can change it.
"""

import hashlib
import itertools
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from geolocate.errors import DatasetError, RegionError
from geolocate.geography.cells import Texts, cell_codes, cell_index, unique_cells
from geolocate.geography.distances import nearest_km
from geolocate.geography.projections import Floats, Projected, project
from geolocate.geography.regions import Region

# Equal-area projections stretch one direction by up to 2.5 % within their zones (measured on both regions), so the
# buffer is drawn that much wider on the map and is never narrower than promised on the ground.
_STRETCH = 1.03

#: A block itself, and the eight beside it, as steps of column and row.
_STEPS = sorted(itertools.product((-1, 0, 1), repeat=2), key=lambda step: step != (0, 0))

Flags = npt.NDArray[np.bool_]


def partition_version(region: Region) -> str:
    """Return the name of the region's partition, which changes with anything that would move a row to another part."""
    zones = [{"crs": zone.crs, "id_prefix": zone.id_prefix, "boxes": zone.boxes} for zone in region.zones]
    rules = region.partition.model_dump() | {"zones": zones}
    digest = hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:8]
    return f"{region.name}-{region.partition.block_km:g}km-v{region.partition.version}-{digest}"


def ground_partition(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike) -> pd.DataFrame:
    """Return block_id, part (train, val, calibration or test), in_buffer and sample of each position.

    ``in_buffer`` marks a position outside test blocks but within ``buffer_km`` of a test block's square, ``sample``
    one in a cell of the probability sample: nothing is fitted to either. Each position's answer depends on that
    position alone. Raises RegionError for a position that is in no zone of the region.
    """
    at = project(region, lat, lon)
    _refuse_outside(region, lat, lon, at)
    block_id, part = (np.full(len(at.zone), "", dtype=object) for _ in range(2))
    in_buffer, sample = (np.zeros(len(at.zone), dtype=bool) for _ in range(2))
    for zone in np.unique(at.zone):
        here = np.flatnonzero(at.zone == zone)
        x, y = at.x[here], at.y[here]
        block_id[here], part[here], near_test = _blocks_of(region, int(zone), x, y)
        in_buffer[here] = near_test & (part[here] != "test")
        sample[here] = _in_sample(region, int(zone), x, y)
    return pd.DataFrame({"block_id": block_id, "part": part, "in_buffer": in_buffer, "sample": sample})


def block_parts(region: Region, block_ids: Sequence[str]) -> Texts:
    """Return the part of each block, by the keyed hash of its id: the region's table, as far as it is asked for."""
    rules = region.partition
    bounds = list(itertools.accumulate(rules.shares.values()))[:-1]
    return np.array(list(rules.shares), dtype=object)[np.searchsorted(bounds, _draws(rules.key, block_ids), "right")]


def _refuse_outside(region: Region, lat: npt.ArrayLike, lon: npt.ArrayLike, at: Projected) -> None:
    outside = np.flatnonzero((at.zone < 0) | ~np.isfinite(at.x))
    if len(outside):
        first = int(outside[0])
        where = f"{np.atleast_1d(lat)[first]}, {np.atleast_1d(lon)[first]}"
        raise RegionError(f"position {where} is outside region {region.name!r}: drop such rows before splitting")


def _draws(key: str, cell_ids: Sequence[str]) -> Floats:
    """Return each cell's number under the key, from 0 up to but not including 1."""
    secret = key.encode()
    digests = [hashlib.blake2b(cell_id.encode(), key=secret, digest_size=8).digest() for cell_id in cell_ids]
    numbers = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
    return np.asarray((numbers >> np.uint64(11)).astype(float) / 2.0**53)


def _blocks_of(region: Region, zone: int, x: Floats, y: Floats) -> tuple[Texts, Texts, Flags]:
    """Return the id and part of each position's block, and whether a test block beside it is within the buffer."""
    size_m = round(region.partition.block_km * 1000)
    column, row = cell_index(size_m, x), cell_index(size_m, y)
    dx, dy = x - column * size_m, y - row * size_m
    reach = region.partition.buffer_km * 1000 * _STRETCH
    position, columns, rows = [np.arange(len(x))], [column], [row]
    for step in _STEPS[1:]:
        gap_x, gap_y = ((0.0, size_m - gap, gap)[way] for gap, way in zip((dx, dy), step, strict=True))
        near = np.flatnonzero(np.hypot(gap_x, gap_y) <= reach)
        position.append(near)
        columns.append(column[near] + step[0])
        rows.append(row[near] + step[1])
    # Each block is hashed once, whether positions lie in it or only beside it, and no block that is too far off.
    different_column, different_row, place = unique_cells(np.concatenate(columns), np.concatenate(rows))
    ids = np.array(cell_codes(region.zones[zone].id_prefix, size_m, different_column, different_row), dtype=object)
    parts = block_parts(region, ids.tolist())
    own, beside = np.split(place, [len(x)])
    near_test = np.zeros(len(x), dtype=bool)
    near_test[np.concatenate(position[1:])[parts[beside] == "test"]] = True
    return ids[own], parts[own], near_test


def _in_sample(region: Region, zone: int, x: Floats, y: Floats) -> Flags:
    rules, size_m = region.partition, region.partition.sample_cell_m
    column, row, number = unique_cells(cell_index(size_m, x), cell_index(size_m, y))
    # Under a key of its own: otherwise the sample would lean towards the blocks that drew low numbers.
    draws = _draws(f"{rules.key}/sample", cell_codes(region.zones[zone].id_prefix, size_m, column, row))
    return np.asarray((draws < rules.sample_share)[number])


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
