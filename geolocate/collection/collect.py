"""The life of a collection: started with a plan, collected shard by shard, summed up.

In: a plan and a request. Out: the folder ``collections/<name>/`` and its summary. Every step can be run again: what
is done is kept, what is open is taken up.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from geolocate.collection.assigning import assign_panoramas, shard_numbers
from geolocate.collection.download import OUTCOMES, state_of, take_shard
from geolocate.collection.finding import search_shard, searched
from geolocate.collection.ledger import Ledger
from geolocate.collection.office import Office, with_office
from geolocate.collection.records import CollectionSummary, CollectRequest, Progress, ShardReport
from geolocate.collection.shards import (
    FOUND,
    CollectionFiles,
    files_of,
    hash_of,
    in_order,
    read_columns,
    read_plan,
    read_state,
    write_table,
)
from geolocate.errors import CollectionError, PlanError
from geolocate.providers.registry import check_provider, world_of
from geolocate.storage import DataRoot, atomic_write, read_json, write_json

#: Called with the phase, how much is done and how much there is.
PhaseProgress = Callable[[str, int, int], None]
_PLAN_COLUMNS = ("point_id", "draw", "group_id", "lat", "lon", "radius_m", "sample_weight", "shard")


def start_collection(
    root: DataRoot,
    name: str,
    plan: pd.DataFrame,
    request: CollectRequest,
    if_exists: Literal["refuse", "resume"] = "refuse",
) -> None:
    """Write the plan and what is wanted of it.

    Starting again with the same plan and request changes nothing. Another plan under the same name is refused with
    CollectionError; with ``if_exists="resume"`` the plan that is there is kept and goes on.
    """
    check_provider(request.settings, request.rights)
    _check_plan(plan)
    files = CollectionFiles(root.collection(name))
    wanted = _description(plan, request, files)
    if files.request.exists():
        changed = [key for key, value in read_json(files.request).items() if wanted.get(key) != value]
        if changed and if_exists == "refuse":
            raise CollectionError(
                f"the collection {name!r} exists with another {', '.join(changed)}: choose another name, or repeat "
                "the command that started it"
            )
        return
    with atomic_write(files.plan) as file:
        plan.to_parquet(file, index=False)
    write_json(files.request, wanted)


def finish_collection(root: DataRoot, name: str) -> CollectionSummary:
    """Merge the outcomes of all shards and sum up what was asked and paid.

    Raises CollectionError when a shard is missing or the outcomes do not add up to the plan.
    """
    files = files_of(root, name)
    shards = shard_numbers(root, name)
    missing = [shard for shard in shards if read_state(files.statistics(OUTCOMES, shard)) is None]
    if missing:
        raise CollectionError(
            f"collection {name!r}: {len(missing)} of {len(shards)} shards are not collected: run `geolocate data "
            "collect` again, it goes on where it stopped"
        )
    # As columns: a dictionary a point would be the largest thing in memory of a large collection.
    outcomes = pa.concat_tables(
        [read_columns(files.table(OUTCOMES, shard)) for shard in shards], promote_options="default"
    )
    _check_sums(files, outcomes)
    write_table(files.merged_outcomes, outcomes)
    summary = _summary(root, files, outcomes, shards)
    write_json(files.summary, asdict(summary))
    return summary


def collect(
    root: DataRoot,
    request: CollectRequest,
    plan: pd.DataFrame,
    progress: PhaseProgress = lambda phase, done, total: None,
    if_exists: Literal["refuse", "resume"] = "refuse",
) -> CollectionSummary:
    """Run all phases over all shards, and sum up; a collection with nothing open sends no request."""
    start_collection(root, request.name, plan, request, if_exists)
    reports = with_office(root, request, lambda office: _collect(office, progress))
    return replace(
        finish_collection(root, request.name),
        run_metadata_requests=sum(report.metadata_requests for report in reports),
        run_image_requests=sum(report.image_requests for report in reports),
    )


def search(
    root: DataRoot, request: CollectRequest, progress: PhaseProgress = lambda phase, done, total: None
) -> list[ShardReport]:
    """Search all shards of a collection that was started, and give each panorama to one point; nothing is paid for."""
    return with_office(root, request, lambda office: _search(office, progress))


async def _collect(office: Office, progress: PhaseProgress) -> list[ShardReport]:
    """Search all shards, give each panorama to one point, and fetch all shards."""
    return await _search(office, progress) + await _fetch(office, progress)


async def _search(office: Office, progress: PhaseProgress) -> list[ShardReport]:
    plan = await asyncio.to_thread(read_plan, files_of(office.root, office.request.name))
    numbers = sorted(int(shard) for shard in plan["shard"].unique())
    rows_of = plan.groupby("shard", sort=False).indices
    find = Bar("find", len(numbers), progress)

    async def look(shard: int) -> ShardReport:
        with find.part(shard) as told:
            return await search_shard(office, shard, plan.iloc[rows_of[shard]], told)

    files = files_of(office.root, office.request.name)
    done = await asyncio.to_thread(searched, files, office.request.region, numbers)
    find.skip(len(done))
    found = await office.each_shard([shard for shard in numbers if shard not in done], look)
    await asyncio.to_thread(assign_panoramas, office.root, office.request)
    return [*done.values(), *found]


async def _fetch(office: Office, progress: PhaseProgress) -> list[ShardReport]:
    numbers = await asyncio.to_thread(shard_numbers, office.root, office.request.name)
    fetch = Bar("fetch", len(numbers), progress)

    async def take(shard: int) -> ShardReport:
        with fetch.part(shard) as told:
            return await take_shard(office, shard, told)

    return await office.each_shard(await asyncio.to_thread(_open_first, office, numbers), take)


def _open_first(office: Office, shards: list[int]) -> list[int]:
    """Put shards with something to fetch before those that are only to be looked over: a million files take a while."""
    files = files_of(office.root, office.request.name)
    return sorted(shards, key=lambda shard: state_of(files, shard) is not None)


class Bar:
    """Count a phase's progress in hundredths of a shard, so that the bar of the whole never runs backwards."""

    def __init__(self, phase: str, shards: int, progress: PhaseProgress) -> None:
        self._phase = phase
        self._shards = shards
        self._progress = progress
        self._done = 0
        self._under_way: dict[int, int] = {}

    def skip(self, shards: int) -> None:
        """Count shards that were done before."""
        self._done += 100 * shards

    @contextmanager
    def part(self, shard: int) -> Iterator[Progress]:
        """Give a shard its part of the bar; at the end it is full."""
        self._under_way[shard] = 0

        def tell(done: int, total: int) -> None:
            # A shard is searched in rounds, each of which starts at 0.
            self._under_way[shard] = max(self._under_way[shard], 100 * done // total if total else 0)
            self._progress(self._phase, self._done + sum(self._under_way.values()), 100 * self._shards)

        yield tell
        del self._under_way[shard]
        self._done += 100
        self._progress(self._phase, self._done + sum(self._under_way.values()), 100 * self._shards)


def _check_plan(plan: pd.DataFrame) -> None:
    missing = [name for name in _PLAN_COLUMNS if name not in plan.columns]
    if missing:
        raise PlanError(f"the plan lacks the columns {', '.join(missing)}: make it with make_plan")
    if plan.empty:
        raise PlanError("the plan has no points: ask for more cells, cities or points")


def _description(plan: pd.DataFrame, request: CollectRequest, files: CollectionFiles) -> dict[str, Any]:
    """Return what must stay the same for all runs of a collection; budget and pace may change."""
    settings = request.settings
    return {
        "region": request.region,
        "provider": settings.provider,
        "world": str(request.rights.world if request.rights else world_of(settings)),
        "views": [asdict(view) for view in request.views],
        "plan_hash": _plan_hash(plan, files),
    }


def _plan_hash(plan: pd.DataFrame, files: CollectionFiles) -> str:
    """Hash the plan; where it is the one that is there, take the hash from there, for a million points take a while."""
    if files.request.exists() and files.plan.exists() and read_plan(files).equals(plan.reset_index(drop=True)):
        return str(read_json(files.request)["plan_hash"])
    return hash_of(plan.to_csv(index=False).encode())


def _check_sums(files: CollectionFiles, outcomes: pa.Table) -> None:
    planned = pc.unique(pq.read_table(files.plan, columns=["point_id"])["point_id"].cast(pa.string()))
    ended = pc.unique(outcomes["point_id"])
    twice = len(outcomes) - len(ended)
    if twice or len(planned) != len(ended) or not pc.all(pc.is_in(planned, ended)).as_py():
        raise CollectionError(
            f"{files.folder}: {len(planned)} planned points, {len(ended)} with an outcome, {twice} with two: "
            "delete its folder `outcomes` and collect again, nothing is paid twice"
        )


def _summary(root: DataRoot, files: CollectionFiles, outcomes: pa.Table, shards: list[int]) -> CollectionSummary:
    started = read_json(files.request)
    name = files.folder.name
    states = (read_state(files.statistics(phase, shard)) for phase in (FOUND, OUTCOMES) for shard in shards)
    with Ledger(root.ledger) as ledger:
        totals, unsettled = ledger.totals(name), ledger.unsettled(name)
    reasons: Counter[str] = Counter()
    for text, times in _counted(outcomes["reasons"]):
        for reason in json.loads(text).values():
            reasons[reason] += times
    return CollectionSummary(
        name=name,
        region=started["region"],
        provider=started["provider"],
        world=started["world"],
        points=len(outcomes),
        statuses=in_order(dict(_counted(outcomes["status"]))),
        reasons=dict(sorted(reasons.items())),
        panoramas=int(pc.sum(pc.greater(outcomes["images"], 0)).as_py() or 0),
        images=int(pc.sum(outcomes["images"]).as_py() or 0),
        metadata_requests=totals.metadata_requests,
        image_requests=totals.image_requests,
        unsettled=unsettled,
        bytes=totals.bytes,
        seconds=round(sum(state.report.seconds for state in states if state), 3),
        price_usd=totals.micro_usd / 1_000_000,
    )


def _counted(column: pa.ChunkedArray) -> list[tuple[str, int]]:
    """Return each value and how often it occurs."""
    return [(entry["values"], entry["counts"]) for entry in pc.value_counts(column).to_pylist()]
