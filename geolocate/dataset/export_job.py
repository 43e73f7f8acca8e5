"""What a format is given to write, and how pictures come out of the store.

In: an opened dataset version. Out: rows, and pictures under names of the format's choosing, in a folder that nobody
sees before it is whole.
"""

import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from geolocate.dataset.splits import PARTS
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import StorageError
from geolocate.storage import DataRoot

#: How pictures come along: copied, as hard links to the store, inside the format's own files, or not at all.
Pictures = Literal["copy", "link", "inside", "none"]

#: Told how many images are done, and of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ExportJob:
    """One export: ``rows`` of ``version``, in the order of their image ids, into the empty ``folder``."""

    root: DataRoot
    version: DatasetVersion
    rows: pd.DataFrame
    folder: Path
    pictures: Pictures
    tell: Progress

    def body(self, sha256: str) -> bytes:
        """Read a picture. Raises StorageError when it is not in the store."""
        try:
            return self.root.image(sha256).read_bytes()
        except FileNotFoundError:
            raise self._lost(sha256) from None

    def put(self, sha256: str, target: Path) -> None:
        """Copy or link a picture to ``target``, as the export wants it."""
        source = self.root.image(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self.pictures == "link":
                os.link(source, target)
            else:
                shutil.copyfile(source, target)
        except FileNotFoundError:
            raise self._lost(sha256) from None
        except OSError as error:
            advice = "; use --pictures copy" if self.pictures == "link" else ""
            raise StorageError(f"cannot write {target}: {error.strerror or error}{advice}") from error

    def put_all(self, files: "pd.Series[str]") -> None:
        """Copy or link each row's picture to its file, given relative to the folder under the rows' index."""
        for done, (sha256, file) in enumerate(zip(self.rows["sha256"], files, strict=True), 1):
            self.put(str(sha256), self.folder / file)
            self.tell(done, len(self.rows))

    def shards(self, size: int) -> Iterator["Shard"]:
        """Give the rows part by part, ``size`` at a time, with a column ``label``: the class's number."""
        labels = {class_id: label for label, class_id in enumerate(self.version.classes["class_id"])}
        for part in PARTS:
            rows = self.rows[self.rows["part"] == part]
            rows = rows.assign(label=rows["class_id"].map(labels))
            total = math.ceil(len(rows) / size)
            for number in range(total):
                yield Shard(part, number, total, rows.iloc[number * size : (number + 1) * size])

    def _lost(self, sha256: str) -> StorageError:
        path = self.root.image(sha256)
        return StorageError(f"no picture {path}: `geolocate data collect` fetches what the store has lost")


@dataclass(frozen=True)
class Shard:
    """A shard of a part: its number, of how many, and its rows."""

    part: str
    number: int
    total: int
    rows: pd.DataFrame

    def records(self) -> list[dict[str, Any]]:
        """Give each row as plain values, None for what is missing."""
        records: list[dict[str, Any]] = pa.Table.from_pandas(self.rows, preserve_index=False).to_pylist()
        return records
