"""Turn a region into the points at which panoramas will be looked for.

In: which region, what is sampled, how many points, and a seed. Out: one row per point and draw, each with the land that
it stands for. Nothing is sent anywhere. Each draw is a hash of its point's key: another number of points, cells or
cities elsewhere moves no point here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, model_validator

from geolocate.collection.city_targets import city_shares
from geolocate.collection.crowd import population_shares
from geolocate.collection.drawing import Ints, draw_positions
from geolocate.collection.targets import Share, grid_shares, uniform_shares
from geolocate.errors import PlanError
from geolocate.geography.hashing import mix_arrays
from geolocate.geography.projections import Floats, to_degrees
from geolocate.geography.regions import Region, load_region

COLUMNS = ["point_id", "draw", "group_id", "group_name", "lat", "lon", "radius_m", "sample_weight", "shard"]

#: How far a panorama may lie from its point: cells are large and roads sparse, towns are small and dense.
SNAP_RADIUS_M = {"grid": 1000.0, "cities": 250.0, "population": 250.0, "uniform": 1000.0}

#: How many of the largest places are cities when nobody says.
DEFAULT_TOP = 50

#: What may be chosen for each kind, and what it is when nothing is chosen (None: the region's usual size).
OPTIONS: dict[str, dict[str, Any]] = {
    "grid": {"cell_km": None, "per_place": 18},
    "cities": {"top": DEFAULT_TOP, "per_place": 18},
    "population": {"total": 2000},
    "uniform": {"total": 2000},
}
_COUNTED = {
    "per_place": "points a city or cell",
    "total": "points in all",
    "draws": "draws a point",
    "shard_size": "points a shard",
}

_AT_ONCE = 100_000  # points: bounds the memory


class PlanRequest(BaseModel):
    """What to plan: points by cell of a ``grid``, around ``cities``, where the ``population`` lives, or ``uniform``.

    ``top`` and ``per_place`` are for cities, ``cell_km`` (None: the region's usual size) and ``per_place`` for a grid,
    ``total`` (points in all) for the other two; what was left out is filled in where it applies, and stays None where
    it does not. ``radius_m`` None takes the kind's snapping radius. ``draws`` is how many positions are tried for a
    point before it counts as having no imagery; ``shard_size`` is the number of points after which a shard ends (with
    its last whole group).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = "uk"
    kind: Literal["grid", "cities", "population", "uniform"] = "cities"
    top: int | None = None
    cell_km: float | None = None
    per_place: int | None = None
    total: int | None = None
    seed: int = 0
    draws: int = 4
    radius_m: float | None = None
    shard_size: int = 100

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        usual = OPTIONS.get(str(values.get("kind", "cities")), {})
        return {**usual, **{name: value for name, value in values.items() if value is not None}}


def make_plan(request: PlanRequest) -> pd.DataFrame:
    """Return the plan, one row per (point_id, draw), whole groups within one shard.

    Columns: point_id, draw (from 0), group_id and group_name (the cell; the city after its suburbs were merged; the
    place for population), lat, lon (rounded to 6 decimals, 0.1 m), radius_m, sample_weight (km² of land that the point
    stands for: one over the expected number of points per km² where it lies), shard.
    Raises RegionError for an unknown region, PlanError for a request that cannot be met.
    """
    region = load_region(request.region)
    _check(request)
    options = {name: getattr(request, name) for name in OPTIONS[request.kind]}
    shares = list(_SHARES[request.kind](region, f"{region.name}|{request.kind}|{request.seed}", **options))
    plan = pd.concat([_plan_share(region, request, share) for share in shares], ignore_index=True)
    plan["shard"] = _shards(plan["group_id"], request.shard_size * request.draws)
    return plan[COLUMNS]


#: Which points fall where, by kind.
_SHARES: dict[str, Callable[..., Iterator[Share]]] = {
    "grid": grid_shares,
    "cities": city_shares,
    "population": population_shares,
    "uniform": uniform_shares,
}


def _check(request: PlanRequest) -> None:
    for name in sorted({name for options in OPTIONS.values() for name in options}):
        value = getattr(request, name)
        if value is not None and name not in OPTIONS[request.kind]:
            kinds = " or ".join(kind for kind, options in OPTIONS.items() if name in options)
            raise PlanError(
                f"{name} {value} does not apply to kind {request.kind!r}, only to {kinds}: leave it out, or choose "
                "another kind"
            )
    for name, unit in _COUNTED.items():
        count = getattr(request, name)
        if count is not None and count < 1:
            raise PlanError(f"{name} {count}: choose 1 or more {unit}")
    if request.radius_m is not None and not request.radius_m > 0:
        raise PlanError(f"radius_m {request.radius_m:g}: choose a snapping radius of more than 0 m")


def _plan_share(region: Region, request: PlanRequest, share: Share) -> pd.DataFrame:
    rows = np.repeat(np.arange(len(share.number)), request.draws)
    draw = np.tile(np.arange(request.draws), len(share.number))
    lat, lon, weight = np.empty(len(rows)), np.empty(len(rows)), np.empty(len(rows))
    for start in range(0, len(rows), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        lat[some], lon[some], weight[some] = _place(region, share, rows[some], draw[some])
    group_id, group_name = (_texts(names, share.group[rows]) for names in (share.group_ids, share.group_names))
    number = pc.utf8_lpad(pc.cast(pa.array(share.number[rows]), pa.string()), 4, "0")
    return pd.DataFrame(
        {
            "point_id": pc.binary_join_element_wise(group_id, number, "-").to_pandas(),
            "draw": draw,
            "group_id": group_id.to_pandas(),
            "group_name": group_name.to_pandas(),
            "lat": lat.round(6),
            "lon": lon.round(6),
            "radius_m": request.radius_m or SNAP_RADIUS_M[request.kind],
            "sample_weight": weight,
        }
    )


def _place(region: Region, share: Share, rows: Ints, draw: Ints) -> tuple[Floats, Floats, Floats]:
    """Return lat, lon and weight of some draws."""
    member = share.member[rows]
    x, y = draw_positions(share.target, mix_arrays(0, share.words[rows], draw), member)
    nowhere = np.flatnonzero(np.isnan(x))
    if len(nowhere):
        group = share.group[rows[nowhere[0]]]
        raise PlanError(
            f"{share.group_names[group]} ({share.group_ids[group]}): no land of its own for "
            f"{len(np.unique(rows[nowhere]))} points; list it in dropped_places.csv, or take a larger cell_km"
        )
    lat, lon = to_degrees(region.zones[share.target.zone].crs, x, y)
    return lat, lon, share.target.area_km2(x, y, member) / share.sample_size


def _texts(names: list[str], index: Ints) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(names, pa.string())).cast(pa.string())


def _shards(group_id: "pd.Series[str]", most_rows: int) -> Ints:
    """Number the shards over the rows, whose groups are together: a shard ends with the group in which it is full."""
    groups, _ = pd.factorize(group_id)
    shard, filled, numbers = 0, 0, []
    rows = np.bincount(groups)
    for count in rows.tolist():
        if filled >= most_rows:
            shard, filled = shard + 1, 0
        numbers.append(shard)
        filled += count
    return np.repeat(np.array(numbers, dtype=np.int64), rows)
