"""Publish collections as a dataset version: label, split, name the classes, write the folder.

In: finished collections. Out: ``datasets/<name>/<version>/`` with ``manifest.parquet``, ``labels.parquet``,
``classes.parquet``, ``quality.parquet``, ``card.json`` and pages for people. Publishing the same content again gives
the same version and writes nothing.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from geolocate.dataset.changes import Changes, changes_of, moved_ground
from geolocate.dataset.classes import CLASS_COLUMN, Level, check_level, classes_at
from geolocate.dataset.describing import Content, Description, describe
from geolocate.dataset.gates import Candidate, check_gates
from geolocate.dataset.labels import LabelSettings, label_panoramas
from geolocate.dataset.lineage import lineage_of
from geolocate.dataset.rights import check_rights
from geolocate.dataset.splits import split_panoramas
from geolocate.dataset.versions import DatasetRef, latest_file, read_version
from geolocate.errors import DatasetError
from geolocate.geography.partition import partition_version
from geolocate.geography.regions import Region, load_region, region_reference
from geolocate.manifest import one_a_panorama, read_manifest, write_manifest
from geolocate.manifest.panoramas import is_first_photograph
from geolocate.manifest.tombstones import without_forgotten
from geolocate.records import World
from geolocate.storage import DataRoot, atomic_write, read_json, safe_name, sha256_of_file, storage_error, write_json

# What a version is. Its pages and its quality table are made from it, and lose what is forgotten.
_FILES = ("manifest.parquet", "labels.parquet", "classes.parquet")

# Of a row, what a reader goes by: the picture and its place, the ground that it stands for, what may be done with it.
# Were a corrected licence or weight the same version, the old one would go on being read.
_HASHED = [
    *("image_id", "sha256", "lat", "lon", "world", "captured", "sample_weight"),
    *("license", "attribution", "rights_basis", "retain_until"),
]


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


def publish(root: DataRoot, request: PublishRequest, parent: str | None = None) -> DatasetRef:
    """Label, split and publish collections as a dataset version.

    ``parent``, ``NAME@VERSION``, is the version that this one takes the place of: the card keeps its hash and what
    changed since.
    Raises DatasetError when there is nothing to train on or two worlds meet, GateError when more of it is bad than the
    region allows, RightsError when a row has no rights.
    """
    region = load_region(request.region)
    check_level(region, request.level)
    manifest = _manifest_of(root, request)
    labels = _labels_of(region, manifest, request)
    here = manifest["image_id"].isin(labels["image_id"])
    outside = int(manifest.loc[~here, "panorama_id"].nunique())
    manifest = manifest[here].reset_index(drop=True)
    classes = classes_at(request.level, region, sorted(labels["class_id"].unique()), request.cell_km)
    sha256 = _content_hash(manifest, labels, classes, partition_version(region))
    ref = DatasetRef(safe_name(request.name), sha256[:12], sha256)
    target = root.dataset(ref.name, ref.version)
    if not target.exists():
        content = Content(manifest.merge(labels, on="image_id", validate="one_to_one"), classes, outside)
        lineage = lineage_of(root, region, request.collections, request.suburb_overrides)
        identity = _identity(ref, request, region, manifest) | {"lineage": lineage}
        changes = _changes_since(root, parent, content) if parent else None
        if parent and changes:
            identity |= {"parent": _named(root, parent), "changes": changes.to_json()}
        described = describe(root, region, identity, content)
        candidate = Candidate(str(ref), _with_names(content), described.quality, changes)
        check_gates(region, candidate, target.with_name(f"refused-{ref.version}.csv"))
        _write_version(target, manifest, {"labels": labels, "classes": classes}, described)
    # Written also when the version was there: who publishes an earlier content again means that one. But for one that a
    # refresh has taken the place of: collecting again would undo the refresh.
    if parent or not _has_successor(root, ref):
        write_json(latest_file(root, ref.name), {"version": ref.version})
    return ref


def _changes_since(root: DataRoot, parent: str, content: Content) -> Changes:
    """Tell what changed since an earlier version; raise DatasetError where ground would change its part."""
    before, after = read_version(root, parent), _with_names(content)
    if moved := moved_ground(before.frame, after):
        raise DatasetError(
            f"the ground of {', '.join(moved[:5])} has another part than in {before.ref}: a place trained on would be "
            "tested on; publish under another name"
        )
    return changes_of(root, before.frame, after)


def _has_successor(root: DataRoot, ref: DatasetRef) -> bool:
    """Say whether the version that was published last descends from this one."""
    latest = latest_file(root, ref.name)
    version = str(read_json(latest)["version"]) if latest.exists() else ""
    seen: set[str] = set()
    while version and version not in seen:
        seen.add(version)
        card = root.dataset(ref.name, version) / "card.json"
        parent = read_json(card).get("parent", {}).get("version", "") if card.exists() else ""
        version = parent.partition("@")[2]
        if version == ref.version:
            return True
    return False


def _with_names(content: Content) -> pd.DataFrame:
    return content.rows.merge(content.classes, on="class_id")


def _named(root: DataRoot, version: str) -> dict[str, str]:
    ref = read_version(root, version).ref
    return {"version": str(ref), "sha256": ref.sha256}


def _manifest_of(root: DataRoot, request: PublishRequest) -> pd.DataFrame:
    frames = [read_manifest(root.collection(name) / "manifest") for name in request.collections]
    rows = pd.concat(frames, ignore_index=True).drop_duplicates("image_id").drop(columns="geometry")
    rows = without_forgotten(root, pd.DataFrame(rows))
    if rows.empty:
        raise DatasetError(f"everything in {', '.join(request.collections)} was forgotten: there is nothing to publish")
    _refuse_mixed_worlds(rows)
    check_rights(rows, "store")
    return _one_place_each(rows)


def _one_place_each(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave a flat photograph, which two collections may count to two places, with the place of the first of them."""
    if is_first_photograph(rows).all():
        return rows
    place = rows.drop_duplicates("source_id").set_index("source_id")["panorama_id"]
    return rows.assign(panorama_id=rows["source_id"].map(place))


def _refuse_mixed_worlds(rows: pd.DataFrame) -> None:
    """Two editions or seeds of the emulated world are two worlds: the same place looks different in each."""
    worlds = sorted(rows["world"].unique())
    if len(worlds) != 1:
        raise DatasetError(f"the collections show {len(worlds)} worlds ({', '.join(worlds)}): publish each by itself")
    versions = sorted(rows["terms_version"].unique())
    if worlds == [World.EMULATED] and len(versions) != 1:
        raise DatasetError(
            f"the collections show {len(versions)} versions of the emulated world ({', '.join(versions)}): "
            "publish each by itself, or collect again from one"
        )


def _labels_of(region: Region, manifest: pd.DataFrame, request: PublishRequest) -> pd.DataFrame:
    """Label each place where its first photograph stands, and split the photographs: a row an image."""
    settings = LabelSettings(request.top, request.cell_km, request.suburb_overrides)
    labels = label_panoramas(region, one_a_panorama(manifest)[["panorama_id", "lat", "lon"]], settings)
    labels["class_id"] = labels[CLASS_COLUMN[request.level]]
    labels = labels[labels["class_id"] != ""].drop(columns="town_id")
    columns = ["source_id", "panorama_id", "lat", "lon", "captured", "sequence_id"]
    labelled = manifest.drop_duplicates("source_id")[columns].merge(labels, on="panorama_id")
    labels = labelled[["source_id", *labels.columns]].join(split_panoramas(region, labelled))
    learned = labels.loc[labels["part"] == "train", "class_id"].nunique()
    if learned < 2:
        raise DatasetError(
            f"only {learned} classes have a training place, 2 are needed: "
            "collect more places, or publish at another level"
        )
    rows = manifest[["image_id", "source_id"]].merge(labels, on="source_id").drop(columns=["source_id", "panorama_id"])
    return rows.sort_values("image_id").reset_index(drop=True)


def _content_hash(manifest: pd.DataFrame, labels: pd.DataFrame, classes: pd.DataFrame, partition: str) -> str:
    """Hash what readers go by; when a picture was fetched, or asked for where, does not make another dataset."""
    digest = hashlib.sha256(partition.encode())
    pictures = manifest.sort_values("image_id")[_HASHED]
    for table in (pictures, labels, classes, *_places(manifest)):
        digest.update(table.to_csv(index=False).encode())
    return digest.hexdigest()


def _places(manifest: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Give which place each flat photograph belongs to; a version without such photographs keeps the hash it had."""
    others = manifest[~is_first_photograph(manifest)]
    if len(others):
        yield others.sort_values("image_id")[["image_id", "panorama_id"]]


def _identity(ref: DatasetRef, request: PublishRequest, region: Region, manifest: pd.DataFrame) -> dict[str, Any]:
    """Say in the card what the version is; what it holds is counted by ``describe``."""
    return {
        **request.model_dump(mode="json"),
        "name": ref.name,
        "version": ref.version,
        "sha256": ref.sha256,
        "created_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "region": region_reference(request.region),
        "partition_version": partition_version(region),
        "world": str(manifest["world"].iloc[0]),
        "world_version": _world_version(manifest),
    }


def _world_version(manifest: pd.DataFrame) -> str | None:
    """Name the one edition of the emulated world; the real one has none."""
    first = manifest.iloc[0]
    return str(first["terms_version"]) if first["world"] == World.EMULATED else None


def _write_version(
    target: Path, manifest: pd.DataFrame, tables: dict[str, pd.DataFrame], described: Description
) -> None:
    """Write the whole folder beside and rename it: a version is there entirely or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".publishing-"))
    except OSError as error:
        raise storage_error(target, error) from error
    try:
        write_manifest(manifest, temporary / "manifest.parquet")
        for name, table in {**tables, "quality": described.quality}.items():
            with atomic_write(temporary / f"{name}.parquet") as file:
                table.to_parquet(file, index=False)
        hashes = {name: sha256_of_file(temporary / name) for name in _FILES}
        for page, body in described.pages.items():
            with atomic_write(temporary / page) as file:
                file.write(body)
        write_json(temporary / "card.json", {**described.card, "files": hashes})
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError as error:
        # Another process that published the same content in the meantime has done this one's work.
        if not (target / "card.json").exists():
            raise storage_error(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
