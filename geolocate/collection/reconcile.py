"""Prove that a collection reconciles: plan = outcomes, manifest rows = files = hashes = ledger = bill.

In: a finished collection, and perhaps the emulator that it was collected from. Out: what was compared, and every
contradiction in one line each.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from geolocate.collection.assigning import shard_numbers
from geolocate.collection.billing import bill_problems, billed_by, total_problems
from geolocate.collection.download import OUTCOMES
from geolocate.collection.entries import Bill
from geolocate.collection.ledger import Ledger
from geolocate.collection.records import Verify
from geolocate.collection.shards import CollectionFiles, count, files_of, read_plan
from geolocate.errors import CollectionError
from geolocate.manifest import read_manifest_columns
from geolocate.records import OutcomeStatus
from geolocate.storage import DataRoot, sha256_of_file

#: How a point's outcome says that none of its images is missing.
_NO_REASONS = json.dumps({})


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What was compared, and what does not agree.

    ``statuses`` says how the ``points`` ended. ``bill`` is what the collection has paid for; ``billed`` what the
    emulator has counted for all collections of the root, None where it was not asked.
    """

    name: str
    points: int
    images: int
    bytes: int
    problems: tuple[str, ...]
    bill: Bill
    billed: int | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    verify: Verify = "hash"

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.problems

    def raise_if_broken(self) -> None:
        """Raise CollectionError with the first contradiction when there is one."""
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            raise CollectionError(
                f"collection {self.name!r} does not reconcile: {self.problems[0]}{more}; repeat the `geolocate data "
                "collect` that made it, with --verify hash: it mends what is missing or damaged"
            )


def validate_collection(
    root: DataRoot, name: str, verify: Verify = "hash", against: str | None = None
) -> ValidationReport:
    """Compare plan, outcomes, manifest, store and ledger of a finished collection.

    ``verify`` says how far the pictures' files are looked into: not at all, their sizes, or every byte. ``against`` is
    the address of an emulator that was started for this root and asked by nobody else: its bill is compared too.
    Raises CollectionError when the collection is not finished, or no emulator answers there.
    """
    files = files_of(root, name)
    rows = _manifest_rows(root, files)
    outcomes = pd.read_parquet(files.merged_outcomes)
    with Ledger(root.ledger) as ledger:
        billed = None if against is None else billed_by(against)
        money = [*total_problems(ledger, name), *(bill_problems(ledger, billed) if billed is not None else ())]
        bill = ledger.bill(name)
        kept = ledger.kept_images()
    problems = [
        *_outcome_problems(files, outcomes),
        *_manifest_problems(outcomes, rows),
        *_ledger_problems(kept, rows),
        *money,
        *_file_problems(root, rows, verify),
    ]
    return ValidationReport(
        name,
        points=len(outcomes),
        images=len(rows),
        bytes=int(rows["bytes"].sum()),
        problems=tuple(problems),
        bill=bill,
        billed=billed,
        statuses=count(outcomes["status"].tolist()),
        verify=verify,
    )


def _manifest_rows(root: DataRoot, files: CollectionFiles) -> pd.DataFrame:
    shards = shard_numbers(root, files.folder.name)
    if not all(files.table(OUTCOMES, shard).exists() for shard in shards):
        raise CollectionError(f"{files.folder} is not finished: run `geolocate data collect` again")
    return read_manifest_columns(files.manifest, ["image_id", "sha256", "bytes"])


def _outcome_problems(files: CollectionFiles, outcomes: pd.DataFrame) -> Iterator[str]:
    planned, ended = pd.Index(read_plan(files)["point_id"].unique()), pd.Index(outcomes["point_id"])
    yield from (f"point {point} was planned and has no outcome" for point in planned.difference(ended))
    yield from (f"point {point} has an outcome and was never planned" for point in ended.difference(planned))
    times = ended[ended.duplicated(keep=False)].value_counts()
    yield from (f"point {point} has {count} outcomes" for point, count in times.items())
    unknown = set(outcomes["status"].unique()) - set(OutcomeStatus)
    yield from (f"status {status!r} is not in the closed list" for status in sorted(unknown))


def _manifest_problems(outcomes: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    if len(rows) != int(outcomes["images"].sum()):
        yield f"the manifest has {len(rows)} rows, the outcomes say {int(outcomes['images'].sum())} images"
    contradictory = (outcomes["status"] == OutcomeStatus.COMPLETE) & (outcomes["reasons"] != _NO_REASONS)
    for point in outcomes.loc[contradictory, "point_id"]:
        yield f"point {point} is complete and has reasons for missing images"
    repeated = rows["image_id"][rows["image_id"].duplicated()]
    if len(repeated):
        yield f"image {repeated.iloc[0]} stands in the manifest twice"


def _ledger_problems(in_ledger: list[tuple[str, str]], rows: pd.DataFrame) -> Iterator[str]:
    if rows.empty:
        return
    kept = pd.DataFrame(in_ledger, columns=["image_id", "sha256"])
    # Arrow looks up one column of texts ten times as fast as pandas; a hash has a fixed length, so that the
    # two put together cannot be mistaken.
    wanted, there = (pa.array(table["sha256"] + table["image_id"]) for table in (rows, kept))
    known = pc.is_in(wanted, there).to_numpy(zero_copy_only=False)
    yield from (f"image {name} is not in the ledger with this hash" for name in rows.loc[~known, "image_id"])


def _file_problems(root: DataRoot, rows: pd.DataFrame, verify: Verify) -> Iterator[str]:
    """Look at the files one by one: this, not the tables, is what takes long."""
    if verify == "none":
        return
    for name, sha256, size in rows[["image_id", "sha256", "bytes"]].itertuples(index=False):
        path = root.image(sha256)
        if not path.exists():
            yield f"image {name} is not in the store"
        elif path.stat().st_size != size or (verify == "hash" and sha256_of_file(path) != sha256):
            yield f"image {name} in the store is not what the manifest says: {path}"
