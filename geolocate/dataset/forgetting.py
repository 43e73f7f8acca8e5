"""Choose what is to be forgotten, and find out who holds it.

In: what somebody asked for: panoramas, images, places, ground, creators, or what may no longer be kept. Out: the
pictures that it comes to, and the dataset versions, runs and exports that hold them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from geolocate.collection.forgetting import Victims, known_images
from geolocate.dataset.exporting import exports_of
from geolocate.dataset.rights import expired
from geolocate.dataset.tracing import run_configs
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import DatasetError
from geolocate.geography.regions import load_region
from geolocate.geography.towns import locality_names, nearest_locality
from geolocate.manifest.tombstones import Flags, Rules, is_forgotten
from geolocate.storage import DataRoot, read_json

_COLUMNS = ["image_id", "source_id", "panorama_id", "sha256", "lat", "lon", "creator", "group_id", "retain_until"]
#: The labels by which a picture may be said to be of a place.
_PLACES = ("class_id", "cell", "city", "town_id")
#: The parts that a model has learned from.
_LEARNED = ("train", "val")
_TESTED = ("test", "sample")
_NO_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants forgotten; what any of these names goes.

    ``names`` are image ids or source ids; ``places`` ids of places or cells, by the labels of published versions, by
    what a collection looked for and, with a ``region``, by the nearest place of its gazetteer; ``expired`` whatever
    had to be deleted by now.
    """

    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    panoramas: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    region: str = ""
    rules: Rules = _NO_RULES
    expired: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, without the rules."""
        plain = asdict(replace(self, rules=_NO_RULES))
        del plain["rules"]
        return plain


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """A dataset version that holds some of it: how many images, by part."""

    version: str
    sha256: str
    path: Path
    images: int
    by_part: dict[str, int]

    def count(self, parts: tuple[str, ...]) -> int:
        """Count the images of some parts."""
        return sum(self.by_part.get(part, 0) for part in parts)


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run on such a version: how many of the images it learned from, and how many it was tested on."""

    run: str
    version: str
    learned: int
    tested: int


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A promoted version of such a run, as ``name@version``, and whether it is the one in use."""

    model: str
    run: str
    path: Path
    learned: int
    tested: int
    in_use: bool


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds what is to be forgotten; ``exports`` are copies outside the data root, which nobody here can erase."""

    versions: tuple[HeldVersion, ...]
    runs: tuple[HeldRun, ...]
    exports: tuple[dict[str, Any], ...]
    models: tuple[HeldModel, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        versions = [{**asdict(held), "path": str(held.path)} for held in self.versions]
        models = [{**asdict(held), "path": str(held.path)} for held in self.models]
        runs = [asdict(held) for held in self.runs]
        return {"versions": versions, "runs": runs, "models": models, "exports": list(self.exports)}


def choose_victims(root: DataRoot, wanted: Wanted) -> Victims:
    """Return the pictures that are asked for; ground and creators may come to none, and hold for the future.

    Raises DatasetError when nothing is asked for, and for an id or a place that nothing is known of.
    """
    if wanted == Wanted(region=wanted.region):
        raise DatasetError("nothing is named: give ids, --place, --area, --near, --creator or --expired")
    held = _pictures(root)
    panoramas = held["source_id"].isin([*wanted.panoramas, *wanted.names]).to_numpy(bool)
    panoramas = panoramas | wanted.rules.cover(held) | _of_places(root, held, wanted)
    images = held["image_id"].isin([*wanted.images, *wanted.names]).to_numpy(bool)
    if wanted.expired:
        images = images | expired(held).to_numpy(bool)
    whole = frozenset(held.loc[panoramas, "source_id"]) | _of_ledger(root, wanted, held)
    gone = panoramas | images
    named = frozenset((*wanted.names, *wanted.images)) - whole
    single = frozenset(held.loc[gone, "image_id"].dropna()) | named
    # An older version still names what was forgotten before: that keeps no file.
    living = ~gone & ~is_forgotten(root, held)
    return Victims(
        whole,
        single.union(*known_images(root, whole).values()),
        frozenset(held.loc[gone, "sha256"].dropna()),
        frozenset(held.loc[living, "sha256"].dropna()),
    )


def holders_of(root: DataRoot, victims: Victims) -> Holders:
    """Find the dataset versions that hold the pictures, the runs and models on them and the copies of them."""
    versions = tuple(_held_versions(root, victims))
    by_hash = {held.sha256: held for held in versions}
    runs = [
        HeldRun(run, held.version, held.count(_LEARNED), held.count(_TESTED))
        for run, config in run_configs(root).items()
        if (held := by_hash.get(config["dataset"]["sha256"]))
    ]
    names = {held.version.partition("@")[0] for held in versions}
    exports = [export for name in sorted(names) for export in exports_of(root, name) if export["sha256"] in by_hash]
    return Holders(versions, tuple(runs), tuple(exports), tuple(_held_models(root, by_hash)))


def panoramas_of(holders: Holders, victims: Victims) -> frozenset[str]:
    """Return the panoramas, by ``panorama_id``, of which the versions hold a picture that is to be forgotten."""
    tables = [_read(held.path / "manifest.parquet") for held in holders.versions]
    return frozenset(one for rows in tables for one in rows.loc[rows["image_id"].isin(victims.images), "panorama_id"])


def forgotten_since(root: DataRoot, version: DatasetVersion) -> dict[str, int]:
    """Count what was forgotten of the rows that a model on this version had learned from: panoramas and images.

    The version is as ``read_version`` gives it, forgotten rows included.
    """
    rows = version.rows(*_LEARNED)
    gone = rows[is_forgotten(root, rows)]
    return {"panoramas": int(gone["panorama_id"].nunique()), "images": len(gone), "of": len(rows)}


def _pictures(root: DataRoot) -> pd.DataFrame:
    """Gather what all manifests name, and the panoramas that were found and have no picture yet."""
    frames = [_read(path) for pattern in _TABLES for path in sorted(root.path.glob(pattern))]
    if not frames:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in _COLUMNS})
    held = pd.concat(frames, ignore_index=True).drop_duplicates(["image_id", "source_id", "sha256"], ignore_index=True)
    return held[held["source_id"].notna()].reset_index(drop=True)


_TABLES = (
    "collections/[!.]*/manifest/*.parquet",
    "collections/[!.]*/found/*.parquet",
    "datasets/[!.]*/[!.]*/manifest.parquet",
)


def _read(path: Path) -> pd.DataFrame:
    present = [name for name in _COLUMNS if name in pq.read_schema(path).names]
    rows: pd.DataFrame = pq.read_table(path, columns=present).to_pandas()
    rows = rows.reindex(columns=_COLUMNS)
    # Tables of before places of several photographs do not have it.
    rows["panorama_id"] = rows["panorama_id"].fillna(rows["source_id"])
    return rows


def _of_ledger(root: DataRoot, wanted: Wanted, held: pd.DataFrame) -> frozenset[str]:
    """Return the named panoramas that no table has and the ledger knows; refuse what nobody knows."""
    known = set(held["source_id"]) | set(held["image_id"].dropna())
    missing = [name for name in (*wanted.names, *wanted.panoramas, *wanted.images) if name not in known]
    found = known_images(root, missing)
    unknown = [name for name, images in found.items() if not images]
    if unknown:
        raise DatasetError(
            f"nothing is known under {', '.join(unknown)}: give image_id or source_id as they stand in a manifest"
        )
    return frozenset(name for name, images in found.items() if name not in images)


def _of_places(root: DataRoot, held: pd.DataFrame, wanted: Wanted) -> Flags:
    if not wanted.places:
        return np.zeros(len(held), dtype=bool)
    chosen = (held["group_id"].isin(wanted.places) | held["image_id"].isin(_labelled(root, wanted.places))).to_numpy(
        bool
    )
    if wanted.region:
        region = load_region(wanted.region)
        ids = locality_names(region)["place_id"].to_numpy(dtype=object)
        nearest = nearest_locality(region, held["lat"].to_numpy(float), held["lon"].to_numpy(float))
        chosen = chosen | ((nearest >= 0) & np.isin(ids[nearest].astype(str), wanted.places))
    if not chosen.any():
        raise DatasetError(
            f"no picture is of {', '.join(wanted.places)}: give a class_id of a published version, the place_id that "
            "a collection looked for, or --region for the nearest place"
        )
    return np.asarray(held["panorama_id"].isin(held.loc[chosen, "panorama_id"]).to_numpy(bool))


def _labelled(root: DataRoot, places: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for path in sorted(root.path.glob("datasets/[!.]*/[!.]*/labels.parquet")):
        labels = pd.read_parquet(path)
        for column in _PLACES:
            if column in labels:
                found |= set(labels.loc[labels[column].isin(places), "image_id"])
    return found


def _held_versions(root: DataRoot, victims: Victims) -> Iterator[HeldVersion]:
    for path in sorted(root.path.glob("datasets/[!.]*/[!.]*/card.json")):
        labels = pd.read_parquet(path.with_name("labels.parquet"), columns=["image_id", "part"])
        held = labels[labels["image_id"].isin(victims.images)]
        if len(held):
            card = read_json(path)
            parts = {str(part): int(count) for part, count in held["part"].value_counts().items()}
            yield HeldVersion(f"{card['name']}@{card['version']}", card["sha256"], path.parent, len(held), parts)


def _held_models(root: DataRoot, by_hash: Mapping[str, HeldVersion]) -> Iterator[HeldModel]:
    for path in sorted(root.path.glob("models/[!.]*/[!.]*/promotion.json")):
        record = read_json(path)
        held = by_hash.get(record["dataset"]["sha256"])
        if held:
            # A promotion that was interrupted has left a version that nobody uses yet.
            in_use = path.parents[1] / "promoted.json"
            used = in_use.exists() and read_json(in_use)["version"] == record["version"]
            counts = held.count(_LEARNED), held.count(_TESTED)
            yield HeldModel(f"{record['name']}@{record['version']}", record["run"], path.parent, *counts, used)
