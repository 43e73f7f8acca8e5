"""What was forgotten: names of images and panoramas that no reader may show any more.

In: image ids and source ids. Out: ``store/tombstones.parquet``, and tables without the forgotten rows.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

import pandas as pd

from geolocate.storage import DataRoot, atomic_write

Frame = TypeVar("Frame", bound=pd.DataFrame)


def read_tombstones(root: DataRoot) -> frozenset[str]:
    """Return the forgotten image ids and source ids of a data root."""
    if not root.tombstones.exists():
        return frozenset()
    return frozenset(pd.read_parquet(root.tombstones, columns=["name"])["name"])


def add_tombstones(root: DataRoot, names: Iterable[str]) -> None:
    """Remember names as forgotten, for ever; adding one twice changes nothing."""
    known = pd.read_parquet(root.tombstones) if root.tombstones.exists() else pd.DataFrame({"name": [], "since": []})
    fresh = sorted(set(names) - set(known["name"]))
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = pd.concat([known.astype(str), pd.DataFrame({"name": fresh, "since": since}, dtype=str)], ignore_index=True)
    with atomic_write(root.tombstones) as file:
        rows.to_parquet(file, index=False)


def without_forgotten(root: DataRoot, rows: Frame) -> Frame:
    """Return the rows (with ``image_id`` and ``source_id``) of which nothing was forgotten."""
    names = read_tombstones(root)
    if not names:
        return rows
    return rows[~(rows["image_id"].isin(names) | rows["source_id"].isin(names))]
