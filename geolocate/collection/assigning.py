"""Between the phases: give each panorama that several shards have found to one point, before anything is billed.

In: the found tables of all shards. Out: ``duplicates.parquet``, the points that lose theirs, or a part of it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from geolocate.collection.records import CollectRequest
from geolocate.collection.shards import (
    ASSIGNED_SCHEMA,
    FOUND,
    CollectionFiles,
    files_of,
    hash_of,
    read_columns,
    read_rows,
    write_rows,
)
from geolocate.errors import CollectionError
from geolocate.storage import DataRoot, read_json, write_json


def shard_numbers(root: DataRoot, name: str) -> list[int]:
    """Return the numbers of the collection's shards, in order."""
    return sorted(read_columns(files_of(root, name).plan, ["shard"])["shard"].unique().to_pylist())


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
    shards = shard_numbers(root, request.name)
    searched = _state_of([files.table(FOUND, shard) for shard in shards])
    earlier = read_json(files.assigned) if files.assigned.exists() and files.duplicates.exists() else {}
    if earlier.get("searched") == searched:
        return int(earlier["panoramas"])
    claims = sorted(
        (claim for shard in shards for claim in _claims(files, shard)),
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
    write_json(files.assigned, {"searched": searched, "panoramas": panoramas})
    return panoramas


def _state_of(tables: list[Path]) -> str:
    """Say in one word when which tables were written; reading thousands of them only to see the same takes long."""
    try:
        stats = [path.stat() for path in tables]
    except FileNotFoundError as error:
        raise CollectionError(f"no file {error.filename}: the phase before this one has not finished") from None
    return hash_of([(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats])


def _claims(files: CollectionFiles, shard: int) -> Iterator[Claim]:
    """Read the claims of one shard's points."""
    columns = read_columns(files.table(FOUND, shard), ["status", "snap_m", "point_id", "source_id", "panorama"])
    for status, snap_m, point_id, source_id, panorama in zip(*(column.to_pylist() for column in columns), strict=True):
        if status == FOUND:
            yield Claim(snap_m, point_id, source_id, shard, _companions(panorama))


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
    stat = files.duplicates.stat() if files.duplicates.exists() else None
    return _lost(files.duplicates, stat and (stat.st_ino, stat.st_mtime_ns)).get(shard, [])


@lru_cache(maxsize=2)
def _lost(path: Path, _version: tuple[int, int] | None) -> dict[int, list[tuple[str, str | None]]]:
    """Read the table once for all shards."""
    lost: dict[int, list[tuple[str, str | None]]] = {}
    for row in read_rows(path):
        lost.setdefault(row["shard"], []).append((row["point_id"], row.get("source_id")))
    return lost
