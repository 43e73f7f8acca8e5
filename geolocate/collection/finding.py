"""Phase 1: turn the planned points of one shard into panoramas, free of charge.

In: a shard of the plan. Out: ``found/<shard>.parquet``, one row a planned point, with its panorama or the reason why
there is none. Each round asks for one draw of every point that has no panorama yet. Claims are settled in the plan's
order when a round's answers are all there, so that the result depends on the answers and never on their timing.
"""

import asyncio
import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import pandas as pd

from geolocate.collection.engine import Engine, Sent
from geolocate.collection.office import Office, with_office
from geolocate.collection.records import CollectRequest, Progress, ShardReport, no_progress
from geolocate.collection.shards import (
    FOUND,
    FOUND_SCHEMA,
    CollectionFiles,
    ShardState,
    count,
    files_of,
    hash_of,
    panorama_columns,
    read_plan,
    read_state,
    write_rows,
    write_state,
)
from geolocate.errors import CollectionError
from geolocate.geography.boundaries import Boundary, boundary_of
from geolocate.geography.distances import haversine_km
from geolocate.geography.regions import load_region
from geolocate.manifest.tombstones import is_forgotten
from geolocate.providers import RefusedError
from geolocate.records import ImageReason, Miss, OutcomeStatus, Panorama, SamplePoint
from geolocate.storage import DataRoot, read_json

#: A rerun asks for these again.
_OPEN = (OutcomeStatus.FAILED, OutcomeStatus.REFUSED)


@dataclass
class Search:
    """How far the search for one planned point has come."""

    draws: list[SamplePoint]
    misses: list[OutcomeStatus] = field(default_factory=list)
    panorama: Panorama | None = None
    stopped: OutcomeStatus | None = None
    reason: ImageReason | None = None

    @property
    def next_draw(self) -> SamplePoint | None:
        """The point to ask for next, None when the search has ended."""
        if self.panorama or self.stopped or len(self.misses) == len(self.draws):
            return None
        return self.draws[len(self.misses)]

    @property
    def last(self) -> SamplePoint:
        """The point that was asked for last."""
        return self.draws[min(len(self.misses), len(self.draws) - 1)]

    @property
    def status(self) -> str:
        """How it ended: found, or the closed list's word."""
        return FOUND if self.panorama else str(self.stopped or self.misses[-1])


def find_shard(root: DataRoot, request: CollectRequest, shard: int, progress: Progress = no_progress) -> ShardReport:
    """Find the panoramas of one shard; a shard with nothing open sends no request.

    Raises ProviderError when the provider refuses or cannot be reached, after writing down what was found so far.
    """
    files = files_of(root, request.name)
    plan = _shard_of_plan(files, shard)
    if done := searched(files, request.region, [shard]):
        return done[shard]
    return with_office(root, request, lambda office: search_shard(office, shard, plan, progress))


def searched(files: CollectionFiles, region: str, shards: Iterable[int]) -> dict[int, ShardReport]:
    """Return the reports of those shards that have nothing to search: their counts of points, and no request."""
    input_hash = _input_hash(files, region)
    states = ((shard, read_state(files.statistics(FOUND, shard))) for shard in shards)
    done = {shard: state for shard, state in states if state and not state.open_points}
    return {shard: _nothing_to_do(state) for shard, state in done.items() if state.input_hash == input_hash}


def _input_hash(files: CollectionFiles, region: str) -> str:
    """Tell from what a search started; the plan of a collection never changes, so that its own hash will do."""
    return hash_of(read_json(files.request)["plan_hash"], region)


async def search_shard(office: Office, shard: int, plan: pd.DataFrame, progress: Progress = no_progress) -> ShardReport:
    """Search a shard that has something open, beside other shards; ``plan`` holds the shard's own rows."""
    files = files_of(office.root, office.request.name)
    input_hash = _input_hash(files, office.request.region)
    started = time.monotonic()
    engine = await office.engine("find")
    searches = await _search(office, engine, searches_of(plan), progress)
    report = _report(shard, searches, engine.sent, time.monotonic() - started)
    open_points = sum(search.stopped in _OPEN for search in searches)
    await asyncio.to_thread(_write_found, files, searches, ShardState(report, input_hash, open_points))
    engine.check()
    return report


def _write_found(files: CollectionFiles, searches: list[Search], state: ShardState) -> None:
    """Write the table, and then the statistics that say that it is done."""
    write_rows(files.table(FOUND, state.report.shard), [_row(search) for search in searches], FOUND_SCHEMA)
    write_state(files.statistics(FOUND, state.report.shard), state)


def searches_of(plan: pd.DataFrame) -> list[Search]:
    """Gather the draws of each planned point, in the plan's order."""
    searches: dict[str, Search] = {}
    names = ["point_id", "draw", "group_id", "lat", "lon", "radius_m", "sample_weight"]
    names += [name for name in ("source_id", "since") if name in plan]
    for values in plan.sort_values("draw", kind="stable")[names].itertuples(index=False, name=None):
        point = SamplePoint(**dict(zip(names, values, strict=True)))
        searches.setdefault(point.point_id, Search([])).draws.append(point)
    return list(searches.values())


async def _search(office: Office, engine: Engine, searches: list[Search], progress: Progress) -> list[Search]:
    boundary = await asyncio.to_thread(ground, office.request.region)
    claimed: set[str] = set()
    while wanted := [search for search in searches if search.next_draw]:
        points = [search.next_draw for search in wanted if search.next_draw]
        answers = await engine.find(points, progress)
        refused = isinstance(engine.throttle.broken, RefusedError)
        unanswered = OutcomeStatus.REFUSED if refused else OutcomeStatus.FAILED
        settle_round(wanted, judged(office.root, boundary, answers), claimed, unanswered)
    return searches


def settle_round(
    wanted: list[Search], answers: list[Panorama | Miss | None], claimed: set[str], unanswered: OutcomeStatus
) -> None:
    """Give each search its answer, in the plan's order; the first to claim a panorama has it.

    Companions are given away when it is settled whose panorama is whose: no photograph belongs to two places.
    """
    for search, answer in zip(wanted, answers, strict=True):
        if answer is None:
            search.stopped = unanswered
        elif isinstance(answer, Miss):
            search.misses.append(answer.status)
            search.reason = answer.reason
        elif answer.source_id in claimed:
            search.misses.append(OutcomeStatus.DUPLICATE)
        else:
            claimed.add(answer.source_id)
            search.panorama = answer
    for search in wanted:
        if search.panorama and search.panorama.companions:
            # Pictures of one panorama that is flat in each of its views bear its id, and stay with it.
            kin = search.panorama.source_id
            others = search.panorama.companions
            mine = tuple(one for one in others if one.source_id == kin or one.source_id not in claimed)
            claimed.update(one.source_id for one in mine)
            search.panorama = replace(search.panorama, companions=mine)


def judged(root: DataRoot, boundary: Boundary, answers: list[Panorama | Miss | None]) -> list[Panorama | Miss | None]:
    """Turn panoramas beyond the region's boundary into misses, for a radius near a border reaches across.

    So is what is to stay forgotten: the panorama itself, its ground or its creator. A companion of such a kind is left
    out.
    """
    found = [answer for answer in answers if isinstance(answer, Panorama)]
    members = [member for panorama in found for member in panorama.members]
    columns = ("source_id", "lat", "lon", "creator")
    frame = pd.DataFrame([[getattr(member, name) for name in columns] for member in members], columns=columns)
    inside = boundary.contains(frame["lat"].to_numpy(float), frame["lon"].to_numpy(float))
    wrong: dict[int, OutcomeStatus] = {}
    for member, keep, forgotten in zip(members, inside, is_forgotten(root, frame), strict=True):
        if forgotten or not keep:
            wrong[id(member)] = OutcomeStatus.FORGOTTEN if forgotten else OutcomeStatus.OUTSIDE
    return [_without(answer, wrong) if isinstance(answer, Panorama) else answer for answer in answers]


def _without(panorama: Panorama, wrong: dict[int, OutcomeStatus]) -> Panorama | Miss:
    """Leave out the companions that are wrong, by their identity; a panorama that is wrong itself is a miss."""
    if id(panorama) in wrong:
        return Miss(wrong[id(panorama)])
    if not panorama.companions:
        return panorama
    return replace(panorama, companions=tuple(one for one in panorama.companions if id(one) not in wrong))


@lru_cache(maxsize=4)
def ground(region: str) -> Boundary:
    """Load a region's boundary once a process."""
    return boundary_of(load_region(region))


def _row(search: Search) -> dict[str, Any]:
    point = search.last
    row: dict[str, Any] = dict.fromkeys(FOUND_SCHEMA.names)
    row |= {
        "point_id": point.point_id,
        "group_id": point.group_id,
        "status": search.status,
        "draws": len(search.misses) + (search.panorama is not None),
        "misses": json.dumps([str(miss) for miss in search.misses]),
        "reason": None if search.panorama else search.reason,
        "requested_lat": point.lat,
        "requested_lon": point.lon,
        "sample_weight": point.sample_weight,
    }
    if search.panorama:
        found = search.panorama
        row |= panorama_columns(found)
        if math.isnan(point.lat):  # it was asked for by its id, from nowhere
            row |= {"requested_lat": found.lat, "requested_lon": found.lon}
        row["snap_m"] = 1000 * float(haversine_km(row["requested_lat"], row["requested_lon"], found.lat, found.lon))
    return row


def _shard_of_plan(files: CollectionFiles, shard: int) -> pd.DataFrame:
    plan = read_plan(files)
    rows = plan[plan["shard"] == shard]
    if rows.empty:
        raise CollectionError(f"no shard {shard} in {files.plan}: there are {sorted(set(plan['shard']))[:20]}")
    return rows


def _report(shard: int, searches: list[Search], sent: Sent, seconds: float) -> ShardReport:
    return ShardReport(
        shard=shard,
        phase="find",
        points=len(searches),
        statuses=count([search.status for search in searches]),
        metadata_requests=sent.metadata,
        reused=sent.reused,
        seconds=round(seconds, 3),
    )


def _nothing_to_do(state: ShardState) -> ShardReport:
    """Report a finished phase: the counts of its points, and no request."""
    earlier = state.report
    return ShardReport(earlier.shard, earlier.phase, earlier.points, earlier.statuses, earlier.images)
