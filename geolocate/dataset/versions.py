"""Dataset versions: immutable folders of rows, labels and classes, named by the hash of what they hold.

In: finished collections. Out: ``datasets/<name>/<version>/`` with ``manifest.parquet``, ``labels.parquet``,
``classes.parquet`` and ``card.json``. Publishing the same content again gives the same version and writes nothing.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from geolocate.dataset.classes import Level, classes_at
from geolocate.dataset.labels import LabelSettings, label_panoramas
from geolocate.errors import DatasetError, RightsError
from geolocate.geography.partition import partition_version
from geolocate.geography.regions import Region, load_region, region_reference
from geolocate.manifest import read_manifest, write_manifest
from geolocate.manifest.tombstones import without_forgotten
from geolocate.records import World
from geolocate.storage import (
    DataRoot,
    atomic_write,
    read_json,
    safe_name,
    sha256_of_file,
    storage_error,
    write_json,
)

PARTS = ("train", "val", "calibration", "test")
_FILES = ("manifest.parquet", "labels.parquet", "classes.parquet")


class PublishRequest(BaseModel):
    """What a dataset version is made of."""

    model_config = ConfigDict(frozen=True)

    name: str
    collections: tuple[str, ...] = Field(min_length=1)
    region: str = "uk"
    level: Level = "city"
    top: int = Field(default=50, ge=2)
    cell_km: float = Field(default=50.0, gt=0)
    suburb_overrides: Path | None = None

    @field_validator("suburb_overrides")
    @classmethod
    def _from_anywhere(cls, path: Path | None) -> Path | None:
        """A card is read from other folders than the one in which it was written."""
        return path.resolve() if path else None


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

    ``frame`` has the manifest's columns and ``class_id, class_name, caption, cell, city, town, block_id, part``, one
    row an image; ``part`` is train, val, calibration, test, buffer (too near to test ground) or unseen (of a class
    without a training place). ``classes`` is sorted by ``class_id``.
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


def publish(root: DataRoot, request: PublishRequest) -> DatasetRef:
    """Label, split and publish collections as a dataset version.

    Raises DatasetError when there is nothing to train on or two worlds meet, RightsError when a row has no rights.
    """
    region = load_region(request.region)
    manifest = _manifest_of(root, request)
    labels = _labels_of(region, manifest, request)
    manifest = manifest[manifest["image_id"].isin(labels["image_id"])].reset_index(drop=True)
    classes = classes_at(request.level, region, sorted(labels["class_id"].unique()), request.cell_km)
    sha256 = _content_hash(manifest, labels, classes, partition_version(region))
    ref = DatasetRef(safe_name(request.name), sha256[:12], sha256)
    target = root.dataset(ref.name, ref.version)
    if not target.exists():
        card = _card(ref, request, region, manifest, labels)
        _write_version(target, manifest, {"labels": labels, "classes": classes}, card)
    # Written also when the version was there: who publishes an earlier content again means that one.
    write_json(_latest(root, ref.name), {"version": ref.version})
    return ref


def open_dataset(root: DataRoot, name: str) -> DatasetVersion:
    """Open ``name`` (the version that was published last) or ``name@version``; what was forgotten is left out.

    Raises DatasetError when there is no such version, or when a file no longer has the hash in the card.
    """
    path = _version_path(root, name)
    card = read_json(path / "card.json")
    for file, expected in card["files"].items():
        if not (path / file).exists() or sha256_of_file(path / file) != expected:
            raise DatasetError(f"{path / file} was altered after publishing: publish the dataset again")
    classes = pd.read_parquet(path / "classes.parquet")
    labels = pd.read_parquet(path / "labels.parquet")
    manifest = pd.DataFrame(read_manifest(path / "manifest.parquet").drop(columns="geometry"))
    frame = manifest.merge(labels, on="image_id", validate="one_to_one").merge(classes, on="class_id")
    frame = without_forgotten(root, frame).sort_values("image_id").reset_index(drop=True)
    return DatasetVersion(path, DatasetRef(card["name"], card["version"], card["sha256"]), card, frame, classes)


def dataset_versions(root: DataRoot, name: str) -> list[str]:
    """List the versions of a dataset, oldest first."""
    # A folder whose name starts with a dot is being written.
    cards = [read_json(path) for path in root.dataset(name).glob("[!.]*/card.json")]
    return [card["version"] for card in sorted(cards, key=lambda card: (card["created_at"], card["version"]))]


def _version_path(root: DataRoot, name: str) -> Path:
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
    latest = _latest(root, dataset)
    return root.dataset(dataset, version or (read_json(latest)["version"] if latest.exists() else versions[-1]))


def _latest(root: DataRoot, name: str) -> Path:
    """Where it stands which version was published last."""
    return root.dataset(name) / "latest.json"


def _manifest_of(root: DataRoot, request: PublishRequest) -> pd.DataFrame:
    frames = [read_manifest(root.collection(name) / "manifest") for name in request.collections]
    rows = pd.concat(frames, ignore_index=True).drop_duplicates("image_id").drop(columns="geometry")
    rows = without_forgotten(root, pd.DataFrame(rows))
    worlds = sorted(rows["world"].unique())
    if len(worlds) != 1:
        raise DatasetError(f"the collections show {len(worlds)} worlds ({', '.join(worlds)}): publish each by itself")
    without = int((rows["rights_basis"] == "none").sum())
    if without:
        raise RightsError(f"{without} rows have rights_basis 'none': leave their collection out, or obtain the rights")
    return rows


def _labels_of(region: Region, manifest: pd.DataFrame, request: PublishRequest) -> pd.DataFrame:
    panoramas = manifest.drop_duplicates("source_id")[["source_id", "lat", "lon"]]
    settings = LabelSettings(request.top, request.cell_km, request.suburb_overrides)
    labels = label_panoramas(region, panoramas, settings)
    labels["class_id"] = labels[request.level]
    labels = labels[labels["class_id"] != ""]
    learned = labels.loc[labels["part"] == "train", "class_id"].unique()
    if len(learned) < 2:
        raise DatasetError(
            f"only {len(learned)} classes have a training place, 2 are needed: "
            "collect more places, or publish at another level"
        )
    evaluated = ~labels["class_id"].isin(learned) & labels["part"].isin(PARTS)
    labels.loc[evaluated, "part"] = "unseen"
    rows = manifest[["image_id", "source_id"]].merge(labels, on="source_id").drop(columns="source_id")
    return rows.sort_values("image_id").reset_index(drop=True)


def _content_hash(manifest: pd.DataFrame, labels: pd.DataFrame, classes: pd.DataFrame, partition: str) -> str:
    """Hash what a model can see; when it was fetched, and by whom, does not make another dataset."""
    digest = hashlib.sha256(partition.encode())
    pictures = manifest.sort_values("image_id")[["image_id", "sha256", "lat", "lon", "world"]]
    for table in (pictures, labels, classes):
        digest.update(table.to_csv(index=False).encode())
    return digest.hexdigest()


def _card(
    ref: DatasetRef, request: PublishRequest, region: Region, manifest: pd.DataFrame, labels: pd.DataFrame
) -> dict[str, Any]:
    panoramas = labels.assign(source_id=labels["image_id"].map(manifest.set_index("image_id")["source_id"]))
    panoramas = panoramas.drop_duplicates("source_id")
    kept = labels[labels["part"].isin(PARTS)]
    without_test = sorted(set(kept["class_id"]) - set(kept.loc[kept["part"] == "test", "class_id"]))
    return {
        **request.model_dump(mode="json"),
        "name": ref.name,
        "version": ref.version,
        "sha256": ref.sha256,
        "created_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "region": region_reference(request.region),
        "partition_version": partition_version(region),
        "world": str(manifest["world"].iloc[0]),
        "licenses": {str(key): int(count) for key, count in manifest["license"].value_counts().items()},
        "images": len(labels),
        "panoramas": len(panoramas),
        "classes": int(labels["class_id"].nunique()),
        "classes_without_test": without_test,
        "panoramas_by_part": {str(key): int(count) for key, count in panoramas["part"].value_counts().items()},
    }


def _write_version(target: Path, manifest: pd.DataFrame, tables: dict[str, pd.DataFrame], card: dict[str, Any]) -> None:
    """Write the whole folder beside and rename it: a version is there entirely or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".publishing-"))
    except OSError as error:
        raise storage_error(target, error) from error
    try:
        write_manifest(manifest, temporary / "manifest.parquet")
        for name, table in tables.items():
            with atomic_write(temporary / f"{name}.parquet") as file:
                table.to_parquet(file, index=False)
        hashes = {file: sha256_of_file(temporary / file) for file in _FILES}
        write_json(temporary / "card.json", {**card, "files": hashes})
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError as error:
        # Another process that published the same content in the meantime has done this one's work.
        if not (target / "card.json").exists():
            raise storage_error(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
