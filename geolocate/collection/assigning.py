"""Between the phases: give each panorama that several shards have found to one point, before anything is billed.

In: the found tables of all shards. Out: ``duplicates.parquet``, the points that lose theirs, or a part of it.
"""

import json
from dataclasses import dataclass

from geolocate.collection.records import CollectRequest
from geolocate.collection.shards import (
    ASSIGNED_SCHEMA,
    FOUND,
    CollectionFiles,
    files_of,
    read_plan,
    read_rows,
    write_rows,
)
from geolocate.storage import DataRoot


def shard_numbers(root: DataRoot, name: str) -> list[int]:
    """Return the numbers of the collection's shards, in order."""
    return sorted(int(shard) for shard in set(read_plan(files_of(root, name))["shard"]))


@dataclass(frozen=True, slots=True)
class Claim:
    """A point's claim on a place: how far the point lies from it, and the photographs that show it."""

    snap_m: float
    point_id: str
    source_id: str
    shard: int
    companions: tuple[str, ...]


def assign_panoramas(root: DataRoot, request: CollectRequest) -> int:
    """Give each panorama to the point that lies nearest to the panorama's own position.

    Then, in the same order, each companion that is nobody's yet to the first place that has it. Returns how many
    panoramas there are to fetch. Raises CollectionError when a shard has not been searched yet.
    """
    files = files_of(root, request.name)
    claims = sorted(
        (
            Claim(row["snap_m"], row["point_id"], row["source_id"], shard, _companions(row["panorama"]))
            for shard in shard_numbers(root, request.name)
            for row in read_rows(files.table(FOUND, shard))
            if row["status"] == FOUND
        ),
        key=lambda claim: (claim.snap_m, claim.point_id, claim.source_id),
    )
    owner: dict[str, str] = {}
    for claim in claims:
        owner.setdefault(claim.source_id, claim.point_id)
    panoramas = len(owner)
    winners = [claim for claim in claims if owner[claim.source_id] == claim.point_id]
    for claim in winners:
        for companion in claim.companions:
            owner.setdefault(companion, claim.point_id)
    lost: list[tuple[str, int, str | None]]
    lost = [(claim.point_id, claim.shard, None) for claim in claims if owner[claim.source_id] != claim.point_id]
    lost += [
        (claim.point_id, claim.shard, companion)
        for claim in winners
        for companion in claim.companions
        if owner[companion] != claim.point_id
    ]
    rows = [
        dict(zip(ASSIGNED_SCHEMA.names, row, strict=True))
        for row in sorted(lost, key=lambda row: (row[0], row[2] or ""))
    ]
    write_rows(files.duplicates, rows, ASSIGNED_SCHEMA)
    return panoramas


def _companions(panorama: str) -> tuple[str, ...]:
    """Return the ids of a panorama's companions; most have none, which its text shows without being parsed."""
    if '"companions": [{' not in panorama:
        return ()
    return tuple(str(one["source_id"]) for one in json.loads(panorama)["companions"])


def duplicates_in(files: CollectionFiles, shard: int) -> set[str]:
    """Return the points of a shard whose panorama belongs to a point of another shard."""
    return {point_id for point_id, source_id in _lost_in(files, shard) if source_id is None}


def companions_elsewhere(files: CollectionFiles, shard: int) -> set[tuple[str, str]]:
    """Return the points of a shard and the companions that they found and that belong to another shard's place."""
    return {(point_id, source_id) for point_id, source_id in _lost_in(files, shard) if source_id is not None}


def _lost_in(files: CollectionFiles, shard: int) -> list[tuple[str, str | None]]:
    rows = (row for row in read_rows(files.duplicates) if row["shard"] == shard)
    return [(row["point_id"], row.get("source_id")) for row in rows]
