"""Where the files of a collection lie, and the tables that its phases leave for each other.

A shard's statistics are written last: a shard whose statistics say that nothing is open, and that were made from the
same input, is finished and sends no request.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geolocate.collection.answers import answer_to_json, fields_of, panorama_from
from geolocate.collection.records import ShardReport
from geolocate.errors import CollectionError
from geolocate.records import OutcomeStatus, Panorama
from geolocate.storage import DataRoot, atomic_write, read_json, write_json

FOUND = "found"

FOUND_SCHEMA = pa.schema(
    [
        pa.field("point_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("draws", pa.int32(), nullable=False),
        pa.field("misses", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("requested_lat", pa.float64(), nullable=False),
        pa.field("requested_lon", pa.float64(), nullable=False),
        pa.field("sample_weight", pa.float64(), nullable=False),
        pa.field("snap_m", pa.float64()),
        pa.field("provider", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("lat", pa.float64()),
        pa.field("lon", pa.float64()),
        pa.field("captured", pa.string()),
        pa.field("sequence_id", pa.string()),
        pa.field("creator", pa.string()),
        pa.field("camera", pa.string()),
        pa.field("license", pa.string()),
        pa.field("attribution", pa.string()),
        pa.field("rights_basis", pa.string()),
        pa.field("world", pa.string()),
        pa.field("terms_version", pa.string()),
        pa.field("retain_until", pa.string()),
        pa.field("panorama", pa.string()),
    ]
)

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field("point_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("draws", pa.int32(), nullable=False),
        pa.field("misses", pa.string(), nullable=False),
        pa.field("source_id", pa.string()),
        pa.field("lat", pa.float64()),
        pa.field("lon", pa.float64()),
        pa.field("requested_lat", pa.float64(), nullable=False),
        pa.field("requested_lon", pa.float64(), nullable=False),
        pa.field("images", pa.int32(), nullable=False),
        pa.field("reasons", pa.string(), nullable=False),
    ]
)

#: ``source_id`` names the one photograph that the point loses; null: the whole place.
ASSIGNED_SCHEMA = pa.schema(
    [
        pa.field("point_id", pa.string(), nullable=False),
        pa.field("shard", pa.int32()),
        pa.field("source_id", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class CollectionFiles:
    """The fixed names under ``collections/<name>/``."""

    folder: Path

    @property
    def plan(self) -> Path:
        """The planned points, one row a point and draw."""
        return self.folder / "plan.parquet"

    @property
    def request(self) -> Path:
        """What the collection was started with."""
        return self.folder / "collection.json"

    @property
    def duplicates(self) -> Path:
        """The points whose panorama belongs to a point of another shard."""
        return self.folder / "duplicates.parquet"

    @property
    def assigned(self) -> Path:
        """From which tables of the search the duplicates were told."""
        return self.folder / "duplicates.json"

    @property
    def manifest(self) -> Path:
        """One manifest file a shard."""
        return self.folder / "manifest"

    @property
    def merged_outcomes(self) -> Path:
        """One row a planned point, of all shards."""
        return self.folder / "outcomes.parquet"

    @property
    def summary(self) -> Path:
        """The collection's totals."""
        return self.folder / "summary.json"

    def table(self, phase: str, shard: int) -> Path:
        """The table of one shard: ``found``, ``manifest`` or ``outcomes``."""
        return self.folder / phase / f"{shard:05d}.parquet"

    def statistics(self, phase: str, shard: int) -> Path:
        """The file whose presence means that a phase of a shard was done."""
        return self.folder / phase / f"{shard:05d}.json"


def files_of(root: DataRoot, name: str) -> CollectionFiles:
    """Return the names of a collection that has been started; raise CollectionError otherwise."""
    files = CollectionFiles(root.collection(name))
    if not files.request.exists():
        started = sorted(path.parent.name for path in root.path.glob("collections/*/collection.json"))
        raise CollectionError(f"no collection {name!r} under {root.path}: there are {', '.join(started) or 'none'}")
    return files


def read_plan(files: CollectionFiles) -> pd.DataFrame:
    """Read the plan that the collection was started with."""
    return pd.read_parquet(files.plan)


def write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows as Parquet, whole or not at all."""
    write_table(path, pa.Table.from_pylist(rows, schema))


def write_table(path: Path, table: pa.Table) -> None:
    """Do the same with columns."""
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read rows that write_rows wrote; raise CollectionError where they are missing."""
    rows: list[dict[str, Any]] = read_columns(path).to_pylist()
    return rows


def read_columns(path: Path, names: list[str] | None = None) -> pa.Table:
    """Read some columns, or all, of what write_rows wrote; raise CollectionError where it is missing."""
    try:
        return pq.read_table(path, columns=names)
    except FileNotFoundError:
        raise _missing(path) from None


def bytes_of(path: Path) -> bytes:
    """Read such a file as it lies there; raise CollectionError where it is missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None


def _missing(path: Path) -> CollectionError:
    return CollectionError(f"no file {path}: the phase before this one has not finished for this shard")


@dataclass(frozen=True, slots=True)
class ShardState:
    """A finished phase as its statistics tell it: from which input, and how many points a rerun would take up."""

    report: ShardReport
    input_hash: str
    open_points: int


def write_state(path: Path, state: ShardState) -> None:
    """Write the statistics, adding the seconds of earlier runs."""
    earlier = read_state(path)
    seconds = state.report.seconds + (earlier.report.seconds if earlier else 0.0)
    report = {**asdict(state.report), "seconds": round(seconds, 3)}
    write_json(path, {"report": report, "input_hash": state.input_hash, "open_points": state.open_points})


def read_state(path: Path) -> ShardState | None:
    """Read the statistics, None where the phase was never done."""
    if not path.exists():
        return None
    value = read_json(path)
    return ShardState(ShardReport(**value["report"]), value["input_hash"], value["open_points"])


def hash_of(*parts: object) -> str:
    """Hash the input of a phase; bytes as they are, everything else by its text."""
    digest = hashlib.sha256()
    for part in parts:
        body = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(body).to_bytes(8, "big") + body)
    return digest.hexdigest()


def panorama_columns(panorama: Panorama) -> dict[str, Any]:
    """Spread a panorama over the columns of the found table; ``panorama`` holds all of it."""
    names = [name for name in FOUND_SCHEMA.names if hasattr(panorama, name)]
    own = {name: getattr(panorama, name) for name in names}
    return own | fields_of(panorama.rights) | {"panorama": answer_to_json(panorama)}


def panorama_of(row: dict[str, Any]) -> Panorama:
    """Gather a panorama from a row of the found table."""
    return panorama_from(json.loads(row["panorama"]))


def count(statuses: list[str]) -> dict[str, int]:
    """Count statuses in the closed list's order, leaving out those that do not occur."""
    return in_order(Counter(statuses))


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Put counts of statuses into the closed list's order."""
    return {str(status): counts[status] for status in (FOUND, *OutcomeStatus) if status in counts}
