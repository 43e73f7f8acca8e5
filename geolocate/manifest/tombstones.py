"""What was forgotten: names of images and panoramas that no reader may show any more.

In: image ids and source ids. Out: ``store/tombstones.parquet``, and tables without the forgotten rows.
"""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import pandas as pd

from geolocate.storage import DataRoot, atomic_write

Frame = TypeVar("Frame", bound=pd.DataFrame)


def read_tombstones(root: DataRoot) -> frozenset[str]:
    """Return the forgotten image ids, and the source ids of panoramas that were forgotten as a whole."""
    if not root.tombstones.exists():
        return frozenset()
    rows = pd.read_parquet(root.tombstones)
    return frozenset(rows["image_id"]) | frozenset(rows["source_id"].dropna())


def add_tombstones(root: DataRoot, image_ids: Iterable[str], source_id: str | None = None) -> None:
    """Remember images as forgotten, for ever; ``source_id`` where their panorama is forgotten as a whole.

    Adding one twice changes nothing.
    """
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = pd.DataFrame(
        {"image_id": sorted(set(image_ids)), "source_id": source_id, "since": since}, dtype=pd.StringDtype()
    )
    with _alone(root):
        rows = pd.concat([pd.read_parquet(root.tombstones), fresh]) if root.tombstones.exists() else fresh
        with atomic_write(root.tombstones) as file:
            rows.drop_duplicates(["image_id", "source_id"]).to_parquet(file, index=False)


@contextmanager
def _alone(root: DataRoot) -> Iterator[None]:
    """Let one process at a time read and write the tombstones: none may be lost."""
    root.tombstones.parent.mkdir(parents=True, exist_ok=True)
    with root.tombstones.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def without_forgotten(root: DataRoot, rows: Frame) -> Frame:
    """Return the rows (with ``image_id`` and ``source_id``) of which nothing was forgotten."""
    names = read_tombstones(root)
    if not names:
        return rows
    return rows[~(rows["image_id"].isin(names) | rows["source_id"].isin(names))]
