"""Dataset versions, opened: immutable folders of rows, labels and classes, named by the hash of what they hold.

In: ``datasets/<name>/<version>/`` with ``manifest.parquet``, ``labels.parquet``, ``classes.parquet`` and
``card.json``, as ``publishing`` writes them. Out: one table of rows with their labels, checked against its hashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from geolocate.dataset.splits import PARTS, prove_split
from geolocate.errors import DatasetError
from geolocate.geography.regions import load_region
from geolocate.manifest import read_manifest
from geolocate.manifest.tombstones import without_forgotten
from geolocate.records import World
from geolocate.storage import DataRoot, read_json, sha256_of_file


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """One version of a dataset, by name, version and content hash."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class DatasetVersion:
    """A published version, opened.

    ``frame`` has the manifest's columns and ``class_id, class_name, caption, cell, city, town, block_id, part,
    sample``, one row an image; ``part`` is train, val, calibration, test, or why a row is in none of them (``LEFT_OUT``
    of ``dataset.splits``). ``classes`` is sorted by ``class_id``.
    """

    path: Path
    ref: DatasetRef
    card: Mapping[str, Any]
    frame: pd.DataFrame
    classes: pd.DataFrame

    @property
    def region(self) -> str:
        """What ``load_region`` takes: the region's name, or its file."""
        return str(self.card["region"])

    @property
    def level(self) -> str:
        """What a class is: ``city`` or ``cell``."""
        return str(self.card["level"])

    @property
    def partition_version(self) -> str:
        """The version of the ground partition."""
        return str(self.card["partition_version"])

    @cached_property
    def world(self) -> World:
        """The one world that all pictures show."""
        return World(self.card["world"])

    def rows(self, *parts: str) -> pd.DataFrame:
        """Give the rows of the named parts of the ground, in the order of their image ids."""
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise DatasetError(f"unknown part {', '.join(sorted(unknown))}: choose among {', '.join(PARTS)}")
        return self.frame[self.frame["part"].isin(parts)].reset_index(drop=True)

    def sample_rows(self) -> pd.DataFrame:
        """Give the rows of the probability sample, whatever their ground, in the order of their image ids.

        They stand at random positions of the ground that was planned, each for ``sample_weight`` km² of it; some are
        test rows as well, and some may be of a class that has no training place.
        """
        return self.frame[self.frame["sample"]].reset_index(drop=True)


def open_dataset(root: DataRoot, name: str) -> DatasetVersion:
    """Open ``name`` (the version that was published last) or ``name@version``; what was forgotten is left out.

    Raises DatasetError when there is no such version, when a file no longer has the hash in the card, and when the
    split cannot be proven: the parts share ground or a capture drive, or the region's partition is another by now.
    """
    version = read_version(root, name)
    frame = without_forgotten(root, version.frame).reset_index(drop=True)
    try:
        prove_split(load_region(version.region), frame, version.partition_version)
    except DatasetError as error:
        raise DatasetError(f"dataset {version.ref}: {error}") from None
    return replace(version, frame=frame)


def read_version(root: DataRoot, name: str) -> DatasetVersion:
    """Read a version as it was published, with what was forgotten since: to compare and to trace, never to learn from.

    Raises DatasetError when there is no such version, and when a file no longer has the hash in the card.
    """
    path = version_path(root, name)
    card = read_json(path / "card.json")
    for file, expected in card["files"].items():
        if not (path / file).exists() or sha256_of_file(path / file) != expected:
            raise DatasetError(f"{path / file} was altered after publishing: publish the dataset again")
    classes = pd.read_parquet(path / "classes.parquet")
    labels = pd.read_parquet(path / "labels.parquet")
    manifest = pd.DataFrame(read_manifest(path / "manifest.parquet").drop(columns="geometry"))
    frame = manifest.merge(labels, on="image_id", validate="one_to_one").merge(classes, on="class_id")
    ref = DatasetRef(card["name"], card["version"], card["sha256"])
    return DatasetVersion(path, ref, card, frame.sort_values("image_id", ignore_index=True), classes)


def dataset_versions(root: DataRoot, name: str) -> list[str]:
    """List the versions of a dataset, oldest first."""
    # A folder whose name starts with a dot is being written.
    cards = [read_json(path) for path in root.dataset(name).glob("[!.]*/card.json")]
    return [card["version"] for card in sorted(cards, key=lambda card: (card["created_at"], card["version"]))]


def version_path(root: DataRoot, name: str) -> Path:
    """Return the folder of ``name`` or ``name@version``. Raises DatasetError, naming what there is, when it is none."""
    dataset, _, version = name.partition("@")
    versions = dataset_versions(root, dataset)
    if not versions:
        known = sorted(path.name for path in (root.path / "datasets").glob("[!.]*"))
        raise DatasetError(
            f"no dataset {dataset!r} under {root.path}: there is: {', '.join(known) or 'none yet'}; "
            "`geolocate set publish` makes one"
        )
    if version and version not in versions:
        raise DatasetError(f"dataset {dataset!r} has no version {version!r}: choose one of {', '.join(versions)}")
    latest = latest_file(root, dataset)
    return root.dataset(dataset, version or (read_json(latest)["version"] if latest.exists() else versions[-1]))


def latest_file(root: DataRoot, name: str) -> Path:
    """Where it stands which version was published last."""
    return root.dataset(name) / "latest.json"
