"""Forget pictures or whole panoramas: out of the store, out of every manifest, never asked for again.

In: image ids or source ids. Out: tombstones, which readers of immutable dataset versions honour; a forgotten picture's
row leaves the collections' manifests. Interrupted, it can be run again with the same names.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd

from geolocate.collection.collect import finish_collection
from geolocate.collection.download import MANIFEST, OUTCOMES
from geolocate.collection.ledger import Ledger
from geolocate.collection.shards import OUTCOME_SCHEMA, CollectionFiles, read_rows, write_rows
from geolocate.errors import CollectionError
from geolocate.manifest import write_manifest
from geolocate.manifest.tombstones import add_tombstones, without_forgotten
from geolocate.records import OutcomeStatus
from geolocate.storage import DataRoot


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was removed."""

    images: int
    files: int
    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Victims:
    """What is to be forgotten.

    ``panoramas`` are source ids, forgotten as a whole; ``images`` the ids of all pictures, theirs included;
    ``sha256s`` the pictures' files, and ``in_use`` those that stay, since somebody else's picture is the same.
    """

    panoramas: frozenset[str]
    images: frozenset[str]
    sha256s: frozenset[str] = frozenset()
    in_use: frozenset[str] = frozenset()


def forget(root: DataRoot, names: Sequence[str]) -> Forgotten:
    """Forget pictures by image id, or panoramas with all their pictures by source id.

    Raises CollectionError when a name is known to nobody, before anything is changed.
    """
    images = known_images(root, names)
    unknown = [name for name, found in images.items() if not found]
    if unknown:
        raise CollectionError(
            f"nothing is known under {', '.join(unknown)}: give image_id or source_id as they stand in a manifest"
        )
    whole = frozenset(name for name, found in images.items() if name not in found)
    victims = Victims(whole, frozenset(image for found in images.values() for image in found))
    bury(root, victims)
    hashes = hashes_to_erase(root, victims)
    files = erase_pictures(root, hashes)
    counts = drop_from_collections(root)
    return Forgotten(sum(counts.values()), files, tuple(name for name, count in counts.items() if count))


def known_images(root: DataRoot, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids of the pictures that each image id or source id stands for in the ledger."""
    with Ledger(root.ledger) as ledger:
        return {name: ledger.images_named(name) for name in names}


def bury(root: DataRoot, victims: Victims) -> None:
    """Write the tombstones, and mark the pictures in the ledger so that none is ever asked for again."""
    add_tombstones(root, victims.images, victims.panoramas)
    with Ledger(root.ledger) as ledger, ledger.transaction():
        ledger.forget([*victims.panoramas, *victims.images])


def hashes_to_erase(root: DataRoot, victims: Victims) -> frozenset[str]:
    """Return the hashes of the buried pictures that no living one shares."""
    with Ledger(root.ledger) as ledger:
        with ledger.transaction():
            of_ledger = ledger.forget([*victims.panoramas, *victims.images])
        living = frozenset(sha256 for _, sha256 in ledger.kept_images())
    return (victims.sha256s | frozenset(of_ledger)) - victims.in_use - living


def erase_pictures(root: DataRoot, hashes: Iterable[str]) -> int:
    """Remove pictures from the store; return how many were there."""
    return sum(_remove(root.image(sha256)) for sha256 in sorted(hashes))


def drop_from_collections(root: DataRoot) -> dict[str, int]:
    """Take everything forgotten out of the collections' manifests; return how many rows each has lost."""
    return {folder.name: _drop(root, CollectionFiles(folder)) for folder in _collections(root)}


def _remove(path: Path) -> bool:
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


def _collections(root: DataRoot) -> list[Path]:
    return sorted(path.parent for path in root.path.glob("collections/[!.]*/manifest"))


def _drop(root: DataRoot, files: CollectionFiles) -> int:
    """Rewrite the shards of one collection that hold something forgotten; return how many rows went."""
    dropped = 0
    for path in sorted((files.folder / MANIFEST).glob("*.parquet")):
        rows = gpd.read_parquet(path)
        kept = without_forgotten(root, rows)
        if len(kept) < len(rows):
            gone = rows.loc[~rows.index.isin(kept.index)]
            # The manifest last: until it is written, forgetting again finds the rows and does the rest.
            _mark(files, path, set(gone["point_id"]), kept["point_id"].value_counts())
            write_manifest(pd.DataFrame(kept), path)
            dropped += len(gone)
    if files.summary.exists():
        finish_collection(root, files.folder.name)
    return dropped


def _mark(files: CollectionFiles, manifest: Path, points: set[str], images: "pd.Series[int]") -> None:
    """Say in the outcomes that a picture of these points was forgotten; other headings of the panorama stay."""
    outcomes = files.folder / OUTCOMES / manifest.name
    if not outcomes.exists():  # rows that were not collected here have none
        return
    rows = read_rows(outcomes)
    for row in rows:
        if row["point_id"] in points:
            row["images"] = int(images.get(row["point_id"], 0))
            row["status"] = str(OutcomeStatus.FORGOTTEN)
            row["reasons"] = json.dumps({})
    write_rows(outcomes, rows, OUTCOME_SCHEMA)
