"""The test panoramas of a dataset version: read once by whoever is evaluated, and each reading is written down.

In: a dataset version and the classes that were trained on. Out: the questions that are asked of every system alike:
the blocked test and the probability sample, their truth, and the training places that chance may know. This and
publishing are the only places where test rows are read.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolocate.dataset.rights import check_rights
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import CheckpointError, DatasetError
from geolocate.evaluation.assess import Question
from geolocate.evaluation.chance import TrainingPlaces
from geolocate.evaluation.metrics import Truth
from geolocate.geography.partition import partition_version
from geolocate.geography.regions import Region, load_region
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.storage import DataRoot

# The rights travel with the pictures' hashes, so that a report knows which it may show.
KEPT = [
    *("panorama_id", "source_id", "class_id", "class_name", "block_id", "lat", "lon", "captured", "sample_weight"),
    *("sha256s", "license", "attribution", "rights_basis", "retain_until"),
]


@dataclass(frozen=True)
class Asked:
    """One set of test panoramas (P rows, the columns of ``KEPT``) and what is asked about them."""

    question: Question
    panoramas: pd.DataFrame

    @property
    def panorama_ids(self) -> NDArray[np.str_]:
        """The ids [P], in the question's order."""
        return self.panoramas["panorama_id"].to_numpy(str)


@dataclass(frozen=True)
class HeldOut:
    """The test panoramas of a version: ``panoramas`` has one row each, sorted by id, with ``blocked`` and ``sample``.

    ``classes`` are the C trained ones with ``class_id, class_name, lat, lon``, in the order of a posterior's columns.
    ``views`` has one row an image, by panorama and heading; None where the panoramas come from an earlier reading.
    """

    dataset: DatasetVersion
    classes: pd.DataFrame
    region: Region
    panoramas: pd.DataFrame
    views: pd.DataFrame | None = None

    @property
    def panorama_ids(self) -> NDArray[np.str_]:
        """The ids [P] of all test panoramas, of both sets."""
        return self.panoramas["panorama_id"].to_numpy(str)

    @cached_property
    def places(self) -> TrainingPlaces:
        """The training places: all that chance may know."""
        return training_places(self.dataset, self.classes)

    @cached_property
    def blocked(self) -> Asked:
        """Ground that was never near training ground."""
        return self._asked("blocked", weighted=False)

    @cached_property
    def sample(self) -> Asked | None:
        """The probability sample, each panorama weighted by the ground that it stands for; None without one."""
        return self._asked("sample", weighted=True) if self.panoramas["sample"].any() else None

    def pictures(self) -> tuple[list[str], list[NDArray[np.intp]]]:
        """Return the hashes of all test pictures, and for each panorama the numbers of its own among them.

        Raises DatasetError where only an earlier reading's predictions are at hand.
        """
        views = self._read_views()
        groups = [group.index.to_numpy(copy=True) for _, group in views.groupby("panorama_id", sort=True)]
        return [str(sha256) for sha256 in views["sha256"]], groups

    def azimuths(self) -> NDArray[np.float64]:
        """The heading of each test picture, degrees clockwise from true north, in the order of ``pictures``."""
        return self._read_views()["heading"].to_numpy(float, copy=True)

    def _read_views(self) -> pd.DataFrame:
        if self.views is None:
            raise DatasetError("the test pictures were not read again: only stored predictions are at hand")
        return self.views

    def _asked(self, column: str, *, weighted: bool) -> Asked:
        rows = self.panoramas[self.panoramas[column]].reset_index(drop=True)
        truth = truth_of(rows, self.classes, weighted=weighted)
        return Asked(Question(truth, self.places, self.region.name, self.region.diagonal_km), rows)


def read_held_out(root: DataRoot, dataset: DatasetVersion, classes: pd.DataFrame, reader: str) -> HeldOut:
    """Read the test rows and write down that ``reader`` did.

    Raises CheckpointError when the region's ground partition is another by now, DatasetError when there is no test
    panorama, RightsError when a row may not be evaluated on.
    """
    region = region_of(dataset, reader)
    rows = pd.concat([dataset.rows("test"), dataset.sample_rows()]).drop_duplicates("image_id")
    rows = rows.sort_values(["panorama_id", "heading"], ignore_index=True)
    check_rights(rows, "evaluate")
    panoramas = one_a_panorama(rows).sort_values("panorama_id", ignore_index=True)
    views = rows.groupby("panorama_id", sort=True)
    panoramas["sha256s"] = [list(hashes) for _, hashes in views["sha256"]]
    panoramas["attribution"] = ["; ".join(dict.fromkeys(owed)) for _, owed in views["attribution"]]
    flags = {"blocked": panoramas["part"] == "test", "sample": panoramas["sample"].astype(bool)}
    held = HeldOut(dataset, classes, region, panoramas[KEPT].assign(**flags), rows)
    _ = held.blocked  # an empty test part is refused before the reading counts
    count_reading(root, dataset, reader, len(panoramas))
    return held


def restored(dataset: DatasetVersion, classes: pd.DataFrame, reader: str, folder: Path) -> HeldOut:
    """Make the same questions from the predictions that an earlier reading left in a run's folder."""
    blocked = pd.read_parquet(folder / "predictions.parquet")[KEPT].assign(blocked=True)
    frames = [blocked]
    if (folder / "sample_predictions.parquet").exists():
        frames.append(pd.read_parquet(folder / "sample_predictions.parquet")[KEPT].assign(blocked=False))
    panoramas = pd.concat(frames).drop_duplicates("panorama_id").sort_values("panorama_id", ignore_index=True)
    panoramas["sample"] = panoramas["panorama_id"].isin(set().union(*(frame["panorama_id"] for frame in frames[1:])))
    return HeldOut(dataset, classes, region_of(dataset, reader), panoramas)


def region_of(dataset: DatasetVersion, reader: str) -> Region:
    """Return the dataset's region. Raises CheckpointError when its ground was divided anew since publishing."""
    region = load_region(dataset.region)
    if partition_version(region) != dataset.partition_version:
        raise CheckpointError(
            f"run {reader!r} was trained under ground partition {dataset.partition_version!r}, not "
            f"{partition_version(region)!r}: its test ground may have been trained on; train again under the new "
            "partition"
        )
    return region


def count_reading(root: DataRoot, dataset: DatasetVersion, reader: str, panoramas: int) -> None:
    """Add a line to the dataset's log of test readings."""
    entry = {
        "version": dataset.ref.version,
        "reader": reader,
        "panoramas": panoramas,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    # One short line appended at once, so that two readers lose none of theirs.
    handle = os.open(_log(root, dataset), os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, (json.dumps(entry, sort_keys=True) + "\n").encode())
    finally:
        os.close(handle)


def readings(root: DataRoot, dataset: DatasetVersion, reader: str) -> dict[str, int]:
    """Return how often the test rows of this version were read: by this reader (``run``), and by all."""
    log = _log(root, dataset)
    entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    readers = [entry["reader"] for entry in entries if entry["version"] == dataset.ref.version]
    return {"run": readers.count(reader), "dataset_version": len(readers)}


def _log(root: DataRoot, dataset: DatasetVersion) -> Path:
    return root.dataset(dataset.ref.name) / "test_reads.jsonl"


def truth_of(panoramas: pd.DataFrame, classes: pd.DataFrame, *, weighted: bool = False) -> Truth:
    """Return where the panoramas are, their classes among the trained ones, and how much ground each stands for."""
    return Truth(
        panoramas["lat"].to_numpy(float),
        panoramas["lon"].to_numpy(float),
        pd.Index(classes["class_id"]).get_indexer(pd.Index(panoramas["class_id"])),
        panoramas["block_id"].to_numpy(str),
        panoramas["sample_weight"].to_numpy(float) if weighted else None,
    )


def training_places(dataset: DatasetVersion, classes: pd.DataFrame) -> TrainingPlaces:
    """Return the training panoramas and the classes' positions: all that chance may know."""
    panoramas = one_a_panorama(dataset.rows("train")).sort_values("panorama_id")
    number = pd.Index(classes["class_id"]).get_indexer(pd.Index(panoramas["class_id"]))
    panoramas, number = panoramas[number >= 0], number[number >= 0]
    return TrainingPlaces(
        panoramas["lat"].to_numpy(float),
        panoramas["lon"].to_numpy(float),
        number,
        np.ones(len(panoramas)),
        classes["lat"].to_numpy(float),
        classes["lon"].to_numpy(float),
    )
