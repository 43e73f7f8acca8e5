"""Prove that a collection reconciles: plan = outcomes, manifest rows = files = hashes = ledger.

In: a finished collection. Out: what was compared, and every contradiction in one line each.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from geolocate.collection.assigning import shard_numbers
from geolocate.collection.download import MANIFEST, OUTCOMES
from geolocate.collection.ledger import Ledger
from geolocate.collection.shards import CollectionFiles, files_of, read_plan, read_rows
from geolocate.errors import CollectionError, ManifestError
from geolocate.manifest import read_manifest
from geolocate.records import OutcomeStatus
from geolocate.storage import DataRoot, sha256_of_file


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What was compared, and what does not agree."""

    name: str
    points: int
    images: int
    bytes: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.problems

    def raise_if_broken(self) -> None:
        """Raise CollectionError with the first contradiction when there is one."""
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            raise CollectionError(
                f"collection {self.name!r} does not reconcile: {self.problems[0]}{more}; run `geolocate data collect` "
                "again, it mends what is missing"
            )


def validate_collection(root: DataRoot, name: str) -> ValidationReport:
    """Compare plan, outcomes, manifest, store and ledger of a finished collection.

    Raises CollectionError when the collection is not finished.
    """
    files = files_of(root, name)
    outcomes = pd.DataFrame(read_rows(files.merged_outcomes))
    rows = _manifest_rows(root, files)
    problems = [*_outcome_problems(files, outcomes), *_manifest_problems(outcomes, rows), *_file_problems(root, rows)]
    return ValidationReport(
        name=name,
        points=len(outcomes),
        images=len(rows),
        bytes=int(rows["bytes"].sum()) if len(rows) else 0,
        problems=tuple(problems),
    )


def _manifest_rows(root: DataRoot, files: CollectionFiles) -> pd.DataFrame:
    shards = shard_numbers(root, files.folder.name)
    if not all(files.table(OUTCOMES, shard).exists() for shard in shards):
        raise CollectionError(f"{files.folder} is not finished: run `geolocate data collect` again")
    frames = []
    for shard in shards:
        try:
            frames.append(pd.DataFrame(read_manifest(files.table(MANIFEST, shard))))
        except ManifestError as error:
            if "has no rows" not in str(error):
                raise
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _outcome_problems(files: CollectionFiles, outcomes: pd.DataFrame) -> Iterator[str]:
    planned = set(read_plan(files)["point_id"])
    ended = Counter(outcomes["point_id"])
    yield from (f"point {point} was planned and has no outcome" for point in sorted(planned - set(ended)))
    yield from (f"point {point} has an outcome and was never planned" for point in sorted(set(ended) - planned))
    yield from (f"point {point} has {times} outcomes" for point, times in ended.items() if times > 1)
    unknown = set(outcomes["status"]) - set(OutcomeStatus)
    yield from (f"status {status!r} is not in the closed list" for status in sorted(unknown))


def _manifest_problems(outcomes: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    if len(rows) != int(outcomes["images"].sum()):
        yield f"the manifest has {len(rows)} rows, the outcomes say {int(outcomes['images'].sum())} images"
    for point, status, reasons in outcomes[["point_id", "status", "reasons"]].itertuples(index=False):
        if (status == OutcomeStatus.COMPLETE) and json.loads(reasons):
            yield f"point {point} is complete and has reasons for missing images"
    if len(rows) and rows["image_id"].duplicated().any():
        yield f"image {rows['image_id'][rows['image_id'].duplicated()].iloc[0]} stands in the manifest twice"


def _file_problems(root: DataRoot, rows: pd.DataFrame) -> Iterator[str]:
    if rows.empty:
        return
    with Ledger(root.ledger) as ledger:
        kept = ledger.kept_hashes()
    for name, sha256, size in rows[["image_id", "sha256", "bytes"]].itertuples(index=False):
        path = root.image(sha256)
        if not path.exists():
            yield f"image {name} is not in the store"
        elif path.stat().st_size != size or sha256_of_file(path) != sha256:
            yield f"image {name} in the store is not what the manifest says: delete {path}"
        if kept.get(name) != sha256:
            yield f"image {name} is not in the ledger with this hash"
