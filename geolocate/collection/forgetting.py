"""Forget pictures or whole panoramas: out of the store, out of every manifest, never asked for again.

In: image ids or source ids. Out: tombstones, which readers of immutable dataset versions honour; a forgotten picture's
row leaves the collections' manifests. Interrupted, it can be run again with the same names.
"""

import json
from collections.abc import Sequence
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


def forget(root: DataRoot, names: Sequence[str]) -> Forgotten:
    """Forget pictures by image id, or panoramas with all their pictures by source id.

    Raises CollectionError when a name is known to nobody, before anything is changed.
    """
    with Ledger(root.ledger) as ledger:
        images = {name: ledger.images_named(name) for name in names}
        unknown = [name for name, found in images.items() if not found]
        if unknown:
            raise CollectionError(
                f"nothing is known under {', '.join(unknown)}: give image_id or source_id as they stand in a manifest"
            )
        for name, found in images.items():
            add_tombstones(root, found, source_id=None if name in found else name)
        with ledger.transaction():
            hashes = ledger.forget(names)
    files = [root.image(sha256) for sha256 in hashes]
    removed = sum(_remove(path) for path in files)
    counts = {folder.name: _drop(root, CollectionFiles(folder)) for folder in _collections(root)}
    touched = tuple(name for name, count in counts.items() if count)
    return Forgotten(sum(counts.values()), removed, touched)


def _remove(path: Path) -> bool:
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


def _collections(root: DataRoot) -> list[Path]:
    return sorted(path.parent for path in root.path.glob("collections/*/collection.json"))


def _drop(root: DataRoot, files: CollectionFiles) -> int:
    """Rewrite the shards of one collection that hold something forgotten; return how many rows went."""
    dropped = 0
    for path in sorted((files.folder / MANIFEST).glob("*.parquet")):
        rows = gpd.read_parquet(path)
        kept = without_forgotten(root, rows)
        if len(kept) < len(rows):
            gone = rows.loc[~rows.index.isin(kept.index)]
            # The manifest last: until it is written, forgetting again finds the rows and does the rest.
            _mark(files, int(path.stem), set(gone["point_id"]), kept["point_id"].value_counts())
            write_manifest(pd.DataFrame(kept), path)
            dropped += len(gone)
    if files.summary.exists():
        finish_collection(root, files.folder.name)
    return dropped


def _mark(files: CollectionFiles, shard: int, points: set[str], images: "pd.Series[int]") -> None:
    """Say in the outcomes that a picture of these points was forgotten; other headings of the panorama stay."""
    rows = read_rows(files.table(OUTCOMES, shard))
    for row in rows:
        if row["point_id"] in points:
            row["images"] = int(images.get(row["point_id"], 0))
            row["status"] = str(OutcomeStatus.FORGOTTEN)
            row["reasons"] = json.dumps({})
    write_rows(files.table(OUTCOMES, shard), rows, OUTCOME_SCHEMA)
