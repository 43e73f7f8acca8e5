"""Turn a region into the points at which panoramas will be looked for.

In: which region, cells or cities, how many points each, and a seed. Out: one row per point and draw. Nothing is
sent anywhere. Each draw has a generator of its own, seeded by a hash of its point: another number of points, cells
or cities elsewhere moves no point here.
"""

import hashlib
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict

from geolocate.collection.targets import Target, cell_targets, city_targets
from geolocate.errors import PlanError
from geolocate.geography.projections import Floats, to_degrees
from geolocate.geography.regions import Region, load_region

COLUMNS = ["point_id", "draw", "group_id", "group_name", "lat", "lon", "radius_m", "sample_weight", "shard"]

#: How far a panorama may lie from its point: cells are large and roads sparse, cities are small and dense.
SNAP_RADIUS_M = {"grid": 1000.0, "cities": 250.0}

_BATCH = 32
_MOST_ATTEMPTS = 20_000


class PlanRequest(BaseModel):
    """What to plan. ``cell_km`` None takes the region's usual size, ``radius_m`` None the kind's snapping radius.

    ``draws`` is how many positions are tried for a point before it counts as having no imagery; ``shard_size`` is
    the number of points after which a shard ends (with its last whole group).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = "uk"
    kind: Literal["grid", "cities"] = "cities"
    top: int = 50
    cell_km: float | None = None
    per_place: int = 18
    seed: int = 0
    draws: int = 4
    radius_m: float | None = None
    shard_size: int = 100


def make_plan(request: PlanRequest) -> pd.DataFrame:
    """Return the plan, one row per (point_id, draw), whole groups within one shard.

    Columns: point_id, draw (from 0), group_id and group_name (cell, or city after its suburbs were merged), lat, lon
    (rounded to 6 decimals, 0.1 m), radius_m, sample_weight (km² of land that the point stands for), shard.
    Raises RegionError for an unknown region, PlanError for a request that cannot be met.
    """
    region = load_region(request.region)
    _check_counts(request)
    frames = [_plan_group(region, request, target) for target in _targets(region, request)]
    plan = pd.concat(frames, ignore_index=True)
    plan["shard"] = _shards([len(frame) for frame in frames], request.shard_size * request.draws)
    return plan[COLUMNS]


def _check_counts(request: PlanRequest) -> None:
    for name, value, unit in (
        ("per_place", request.per_place, "points a city or cell"),
        ("draws", request.draws, "draws a point"),
        ("shard_size", request.shard_size, "points a shard"),
    ):
        if value < 1:
            raise PlanError(f"{name} {value}: choose 1 or more {unit}")
    if request.radius_m is not None and not request.radius_m > 0:
        raise PlanError(f"radius_m {request.radius_m:g}: choose a snapping radius of more than 0 m")


def _targets(region: Region, request: PlanRequest) -> Iterator[Target]:
    if request.kind == "grid":
        return cell_targets(region, region.grid_km if request.cell_km is None else request.cell_km)
    return city_targets(region, request.top)


def _plan_group(region: Region, request: PlanRequest, target: Target) -> pd.DataFrame:
    numbers = np.repeat(np.arange(request.per_place), request.draws)
    draws = np.tile(np.arange(request.draws), request.per_place)
    point_ids = [f"{target.group_id}-{number:04d}" for number in numbers]
    keys = [
        f"{region.name}|{request.kind}|{request.seed}|{point_id}|{draw}"
        for point_id, draw in zip(point_ids, draws, strict=True)
    ]
    member = target.members_of(numbers)
    x, y = _draw_positions(target, keys, member)
    lat, lon = to_degrees(region.zones[target.zone].crs, x, y)
    return pd.DataFrame(
        {
            "point_id": point_ids,
            "draw": draws,
            "group_id": target.group_id,
            "group_name": target.group_name,
            "lat": lat.round(6),
            "lon": lon.round(6),
            "radius_m": request.radius_m or SNAP_RADIUS_M[request.kind],
            "sample_weight": target.area_km2(x, y) / request.per_place,
        }
    )


def _draw_positions(target: Target, keys: list[str], member: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Draw one position per key, uniform on the target's ground, by rejection: the first proposal that is on it."""
    generators = [_generator(key) for key in keys]
    x, y = np.empty(len(keys)), np.empty(len(keys))
    pending = np.arange(len(keys))
    for _ in range(_MOST_ATTEMPTS // _BATCH):
        uniform = np.stack([generators[index].random((_BATCH, 3)) for index in pending]).reshape(-1, 3)
        px, py = target.propose(uniform, np.repeat(member[pending], _BATCH))
        fits = target.accepts(px, py).reshape(-1, _BATCH)
        first = fits.argmax(axis=1) + np.arange(len(pending)) * _BATCH
        x[pending], y[pending] = px[first], py[first]
        pending = pending[~fits.any(axis=1)]
        if len(pending) == 0:
            return x, y
    raise PlanError(
        f"{target.group_name} ({target.group_id}): no land of its own for {len(pending)} points; "
        "list it in dropped_places.csv, or take a larger cell_km"
    )


def _generator(key: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest())))


def _shards(rows: list[int], most_rows: int) -> npt.NDArray[np.int64]:
    """Number the shards over the groups' rows: a shard ends with the group in which it is full."""
    shard, filled, numbers = 0, 0, []
    for count in rows:
        if filled >= most_rows:
            shard, filled = shard + 1, 0
        numbers += [shard] * count
        filled += count
    return np.array(numbers, dtype=np.int64)
