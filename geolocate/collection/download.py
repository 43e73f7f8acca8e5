"""Phase 2: fetch the pictures of one shard's panoramas; this is the phase that costs money.

In: ``found/<shard>.parquet`` and the duplicates. Out: ``manifest/<shard>.parquet``, one row an image,
``outcomes/<shard>.parquet``, one row a planned point, and the statistics, written last.
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from geolocate.collection.assigning import companions_elsewhere, duplicates_in
from geolocate.collection.engine import Engine
from geolocate.collection.entries import FINAL, ImageKey, ImageRow
from geolocate.collection.finding import ground
from geolocate.collection.office import Office, with_office
from geolocate.collection.records import CollectRequest, Progress, ShardReport, Verify, no_progress
from geolocate.collection.shards import (
    FOUND,
    OUTCOME_SCHEMA,
    CollectionFiles,
    ShardState,
    bytes_of,
    count,
    files_of,
    hash_of,
    panorama_of,
    read_rows,
    read_state,
    write_rows,
    write_state,
)
from geolocate.collection.validation import PASSING
from geolocate.collection.verifying import is_intact
from geolocate.collection.wanted_views import Views, as_text, views_of_shard
from geolocate.manifest import MANIFEST_SCHEMA, write_manifest
from geolocate.manifest.tombstones import is_forgotten
from geolocate.providers import QuotaError, RefusedError
from geolocate.records import ImageReason, OutcomeStatus, Panorama, Rights, View
from geolocate.storage import DataRoot

OUTCOMES = "outcomes"
MANIFEST = "manifest"


@dataclass
class Shot:
    """One wanted picture, and what came of it."""

    row: dict[str, Any]
    panorama: Panorama
    key: ImageKey
    result: ImageRow | ImageReason | None = None

    @property
    def image(self) -> ImageRow | None:
        """The picture's row in the ledger, when the picture is in the store."""
        return self.result if isinstance(self.result, ImageRow) and self.result.state == "kept" else None

    @property
    def forgotten(self) -> bool:
        """Whether somebody wanted it forgotten."""
        return isinstance(self.result, ImageRow) and self.result.state == "forgotten"

    @property
    def is_open(self) -> bool:
        """Whether a rerun would ask for it again."""
        return not isinstance(self.result, ImageRow) and self.result in PASSING

    @property
    def reason(self) -> ImageReason | None:
        """Why there is no picture."""
        if isinstance(self.result, ImageRow):
            return None if self.result.state == "kept" else self.result.reason
        return self.result


def fetch_shard(root: DataRoot, request: CollectRequest, shard: int, progress: Progress = no_progress) -> ShardReport:
    """Fetch the pictures of one shard; a shard with nothing open sends no request.

    Raises ProviderError when the provider refuses or cannot be reached, StorageError when the disk is full; what was
    fetched until then is in the ledger and the store, and a rerun goes on from there.
    """
    return with_office(root, request, lambda office: take_shard(office, shard, progress))


async def take_shard(office: Office, shard: int, progress: Progress = no_progress) -> ShardReport:
    """Do the same as fetch_shard beside other shards."""
    root, request = office.root, office.request
    files = files_of(root, request.name)
    work = await asyncio.to_thread(_work_of, root, request, files, shard)
    if isinstance(work, ShardReport):
        return work
    started = time.monotonic()
    withheld = _withheld(root, work.found, work.duplicates)
    rows = [row for row in work.found if row["status"] == FOUND and row["point_id"] not in withheld]
    engine = await office.engine("fetch")
    members = await asyncio.to_thread(_members, root, rows, work.elsewhere)
    shots = await _fetch(engine, _shots(engine, members, work.views), progress)
    outcomes, open_points = _outcomes(shard, work.found, withheld, shots)
    report = replace(_report(shard, outcomes, engine, time.monotonic() - started), replaced=_replaced(engine, shots))
    state = ShardState(report, work.input_hash, open_points)
    await asyncio.to_thread(_write, files, request, Result(shots, outcomes, state))
    engine.check()
    return report


@dataclass(frozen=True, slots=True)
class Work:
    """What one shard's phase starts from."""

    shard: int
    found: list[dict[str, Any]]
    duplicates: set[str]
    elsewhere: set[tuple[str, str]]
    views: Views
    input_hash: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one shard's phase ends with."""

    shots: list[Shot]
    outcomes: list[dict[str, Any]]
    state: ShardState


def _work_of(root: DataRoot, request: CollectRequest, files: CollectionFiles, shard: int) -> Work | ShardReport:
    """Return what is to be done, or what an earlier run reported when nothing is."""
    duplicates, elsewhere = duplicates_in(files, shard), companions_elsewhere(files, shard)
    body = bytes_of(files.table(FOUND, shard))
    lost = [*sorted(duplicates), *sorted(elsewhere)]
    views = views_of_shard(files, shard)
    told = [sorted((point, as_text(mine)) for point, mine in views.items())] if views else []
    input_hash = hash_of(body, lost, request.views, request.region, *told)
    done = state_of(files, shard)
    if done and done.input_hash == input_hash and _is_whole(root, files, shard, request.verify):
        report = done.report
        return ShardReport(shard, report.phase, report.points, report.statuses, report.images, reused=report.images)
    return Work(shard, read_rows(files.table(FOUND, shard)), duplicates, elsewhere, views, input_hash)


def state_of(files: CollectionFiles, shard: int) -> ShardState | None:
    """Return how an earlier run left a shard, when it left nothing open."""
    state = read_state(files.statistics(OUTCOMES, shard))
    return state if state and not state.open_points else None


def _write(files: CollectionFiles, request: CollectRequest, result: Result) -> None:
    """Write the tables, and then the statistics that say that they are done."""
    shard = result.state.report.shard
    _write_manifest(files, request, shard, result.shots)
    write_rows(files.table(OUTCOMES, shard), result.outcomes, OUTCOME_SCHEMA)
    write_state(files.statistics(OUTCOMES, shard), result.state)


def _is_whole(root: DataRoot, files: CollectionFiles, shard: int, verify: Verify) -> bool:
    """Look for what a finished shard has written: a table or a picture that was lost since is to be mended."""
    manifest = files.table(MANIFEST, shard)
    if not manifest.exists() or not files.table(OUTCOMES, shard).exists():
        return False
    if verify == "none":
        return True
    kept = pq.read_table(manifest, columns=["sha256", "bytes"]).to_pydict()
    return all(is_intact(root, *image, verify) for image in zip(kept["sha256"], kept["bytes"], strict=True))


def _withheld(root: DataRoot, found: list[dict[str, Any]], duplicates: set[str]) -> dict[str, OutcomeStatus]:
    """Name the points whose panorama is not asked for pictures, and how they end."""
    columns = ("point_id", "source_id", "lat", "lon", "creator")
    panoramas = pd.DataFrame([[row[name] for name in columns] for row in found], columns=columns)
    gone = panoramas.loc[is_forgotten(root, panoramas), "point_id"]
    return dict.fromkeys(gone, OutcomeStatus.FORGOTTEN) | dict.fromkeys(duplicates, OutcomeStatus.DUPLICATE)


def _members(
    root: DataRoot, rows: list[dict[str, Any]], elsewhere: set[tuple[str, str]]
) -> list[tuple[dict[str, Any], Panorama]]:
    """Pair each place with its panorama and companions, without those of other places and those to stay forgotten."""
    members = [(row, member) for row in rows for member in panorama_of(row).members]
    mine = [pair for pair in members if (pair[0]["point_id"], pair[1].source_id) not in elsewhere]
    columns = ("source_id", "lat", "lon", "creator")
    frame = pd.DataFrame([[getattr(one, name) for name in columns] for _, one in mine], columns=columns)
    return [pair for pair, forgotten in zip(mine, is_forgotten(root, frame), strict=True) if not forgotten]


def _shots(engine: Engine, members: list[tuple[dict[str, Any], Panorama]], views: Views) -> list[Shot]:
    """Return the pictures that are wanted: all views, or those that the plan names for the point."""
    keys = [(row, member, views.get(row["point_id"])) for row, member in members]
    return [
        Shot(row, member, key)
        for row, member, wanted in keys
        for key in engine.image_keys(member)
        if wanted is None or key.view in wanted
    ]


async def _fetch(engine: Engine, shots: list[Shot], progress: Progress) -> list[Shot]:
    for shot, known in zip(shots, await engine.known([shot.key for shot in shots]), strict=True):
        shot.result = known if known and known.state in FINAL else None
    missing = [shot for shot in shots if shot.result is None]
    engine.sent.reused = sum(shot.image is not None for shot in shots)

    async def fetch(shot: Shot) -> None:
        shot.result = await engine.fetch(shot.key, shot.panorama)

    await engine.each(missing, fetch, progress)
    unasked = _UNASKED.get(type(engine.throttle.broken), ImageReason.UNREACHABLE)
    for shot in shots:
        shot.result = shot.result or unasked
    return shots


#: Why pictures were not asked for, by what has stopped the run.
_UNASKED: dict[type, ImageReason] = {RefusedError: ImageReason.REFUSED, QuotaError: ImageReason.OVER_QUOTA}


def _outcomes(
    shard: int, found: list[dict[str, Any]], withheld: dict[str, OutcomeStatus], shots: list[Shot]
) -> tuple[list[dict[str, Any]], int]:
    """Return one row a planned point, and how many of them a rerun would take up."""
    of_point: dict[str, list[Shot]] = {}
    for shot in shots:
        of_point.setdefault(shot.row["point_id"], []).append(shot)
    outcomes = []
    open_points = 0
    for row in found:
        mine = of_point.get(row["point_id"], [])
        status = _status(row, withheld, mine)
        open_points += any(shot.is_open for shot in mine)
        outcomes.append(_outcome(shard, row, status, mine))
    unsearched = sum(row["status"] in (OutcomeStatus.FAILED, OutcomeStatus.REFUSED) for row in found)
    return outcomes, open_points + unsearched


def _status(row: dict[str, Any], withheld: dict[str, OutcomeStatus], shots: list[Shot]) -> str:
    if row["status"] != FOUND:
        return str(row["status"])
    if row["point_id"] in withheld:
        return withheld[row["point_id"]]
    if any(shot.forgotten for shot in shots):
        return OutcomeStatus.FORGOTTEN
    return status_of([shot.reason for shot in shots])


def status_of(reasons: list[ImageReason | None]) -> OutcomeStatus:
    """Return how a point ended whose panorama was found, from why each picture is missing (None: it is there)."""
    if reasons and not any(reasons):
        return OutcomeStatus.COMPLETE
    if not all(reasons):
        return OutcomeStatus.PARTIAL
    for reason, status in (
        (ImageReason.OVER_BUDGET, OutcomeStatus.OVER_BUDGET),
        (ImageReason.REFUSED, OutcomeStatus.REFUSED),
    ):
        if reason in reasons:
            return status
    nothing_there = {ImageReason.NOT_FOUND, ImageReason.GREY_PICTURE}
    return OutcomeStatus.NO_IMAGERY if set(reasons) <= nothing_there else OutcomeStatus.FAILED


def _outcome(shard: int, row: dict[str, Any], status: str, shots: list[Shot]) -> dict[str, Any]:
    reasons = {f"{shot.key.view.heading:g}": str(shot.reason) for shot in shots if shot.reason}
    if row.get("reason"):
        reasons["all"] = row["reason"]
    names = ("point_id", "group_id", "draws", "misses", "source_id", "lat", "lon", "requested_lat", "requested_lon")
    return {name: row[name] for name in names} | {
        "shard": shard,
        "status": str(status),
        "images": sum(shot.image is not None for shot in shots),
        "reasons": json.dumps(reasons, sort_keys=True),
    }


def _write_manifest(files: CollectionFiles, request: CollectRequest, shard: int, shots: list[Shot]) -> None:
    rows = [_image_row(shot, shot.image) for shot in shots if shot.image]
    frame = pd.DataFrame(rows, columns=[name for name in MANIFEST_SCHEMA.names if name not in _ADMIN])
    places = ground(request.region).admin(np.array(frame["lat"], dtype=float), np.array(frame["lon"], dtype=float))
    write_manifest(frame.assign(**{name: list(places[name]) for name in _ADMIN}), files.table(MANIFEST, shard))


_ADMIN = ("country", "admin1", "admin2")


@lru_cache(maxsize=256)
def _fields(record: View | Rights) -> dict[str, Any]:
    """All pictures of a collection share a few views and one set of rights; only to be read."""
    return asdict(record)


def _image_row(shot: Shot, image: ImageRow) -> dict[str, Any]:
    """Return the manifest's row of one picture."""
    rights = image.rights or shot.panorama.rights
    copied = ("requested_lat", "requested_lon", "snap_m", "sample_weight", "point_id", "group_id")
    seen = ("provider", "source_id", "lat", "lon", "sequence_id", "creator", "camera", "captured")
    return (
        {"image_id": shot.key.image_id, "panorama_id": shot.row["source_id"]}
        | {name: getattr(shot.panorama, name) for name in seen}
        | _fields(shot.key.view)
        | {name: shot.row[name] for name in copied}
        | _fields(rights)
        | {"world": str(rights.world), "sha256": image.sha256, "bytes": image.bytes, "fetched_at": image.answered_at}
    )


def _replaced(engine: Engine, shots: list[Shot]) -> int:
    """Count the pictures that were damaged and are there again."""
    return sum(shot.image is not None and shot.key in engine.damaged for shot in shots)


def _report(shard: int, outcomes: list[dict[str, Any]], engine: Engine, seconds: float) -> ShardReport:
    sent = engine.sent
    return ShardReport(
        shard=shard,
        phase="fetch",
        points=len(outcomes),
        statuses=count([row["status"] for row in outcomes]),
        images=sum(row["images"] for row in outcomes),
        image_requests=sent.images,
        reused=sent.reused,
        bytes=sent.bytes,
        price_usd=sent.micro_usd / 1_000_000,
        seconds=round(seconds, 3),
    )
