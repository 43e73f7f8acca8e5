"""Between the phases: give each panorama that several shards have found to one point, before anything is billed.

In: the found tables of all shards. Out: ``duplicates.parquet``, the points that lose theirs.
"""

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


def assign_panoramas(root: DataRoot, request: CollectRequest) -> int:
    """Give each panorama to the point that lies nearest to the panorama's own position.

    Returns how many panoramas there are to fetch. Raises CollectionError when a shard has not been searched yet.
    """
    files = files_of(root, request.name)
    claims = [
        (row["snap_m"], row["point_id"], row["source_id"], shard)
        for shard in shard_numbers(root, request.name)
        for row in read_rows(files.table(FOUND, shard))
        if row["status"] == FOUND
    ]
    owner: dict[str, str] = {}
    for _, point_id, source_id, _ in sorted(claims):
        owner.setdefault(source_id, point_id)
    losers = [
        {"point_id": point_id, "shard": shard}
        for _, point_id, source_id, shard in sorted(claims, key=lambda claim: claim[1])
        if owner[source_id] != point_id
    ]
    write_rows(files.duplicates, losers, ASSIGNED_SCHEMA)
    return len(owner)


def duplicates_in(files: CollectionFiles, shard: int) -> set[str]:
    """Return the points of a shard whose panorama belongs to a point of another shard."""
    return {row["point_id"] for row in read_rows(files.duplicates) if row["shard"] == shard}
