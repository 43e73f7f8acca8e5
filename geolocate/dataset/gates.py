"""Keep a dataset from being published that is worse than its region allows, and show the rows that it is worse by.

In: the quality table of a version that is about to be written, what changed since its parent, and the region's
``[gates]``. Out: nothing, or a GateError that holds the failing rows, with where they were written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pandas as pd

from geolocate.dataset.changes import Changes
from geolocate.dataset.quality import REASONS
from geolocate.errors import DatasetError, RegionError
from geolocate.geography.regions import Region
from geolocate.storage import atomic_write

#: What is shown of a failing row.
COLUMNS = ["gate", "image_id", "panorama_id", "class_name", "lat", "lon"]


class GateError(DatasetError):
    """A dataset that its region's gates refuse; ``rows`` are those that fail, ``COLUMNS`` each."""

    def __init__(self, message: str, rows: pd.DataFrame) -> None:
        super().__init__(message)
        self.rows = rows


@dataclass(frozen=True)
class Candidate:
    """A version before it is written: its name, its rows with ``class_name``, their quality, and what changed."""

    name: str
    rows: pd.DataFrame
    quality: pd.DataFrame
    changes: Changes | None = None


def check_gates(region: Region, candidate: Candidate, file: Path) -> None:
    """Raise GateError where a share is above the region's threshold, once the failing rows are written to ``file``.

    Raises RegionError for a gate that there is not.
    """
    unknown = sorted(set(region.gates.images) - set(REASONS))
    if unknown:
        raise RegionError(
            f"region {region.name!r}: no gate {', '.join(unknown)} in [gates.images]: choose among {', '.join(REASONS)}"
        )
    failures = [*_of_images(region, candidate), *_gone(region, candidate)]
    if failures:
        said = "; ".join(line for line, _ in failures)
        rows = pd.concat([rows for _, rows in failures], ignore_index=True)
        refuse(f"{candidate.name} was not published: {said}; forget or mend them, or raise [gates]", rows, file)


def refuse(why: str, rows: pd.DataFrame, file: Path) -> NoReturn:
    """Write the failing rows (``COLUMNS``) to a file, and raise a GateError that names it."""
    with atomic_write(file) as out:
        out.write(rows.to_csv(index=False).encode())
    raise GateError(f"{why} in the region's file; the rows: {file}", rows)


def of_places(region: Region, gone: int, before: int) -> str:
    """Say that more of the places of before are gone than the region allows; "" where they are not."""
    most = region.gates.gone
    return _line(gone, before, "places are gone", most) if gone > most * before else ""


def _of_images(region: Region, candidate: Candidate) -> Iterator[tuple[str, pd.DataFrame]]:
    quality = candidate.quality
    for reason, most in region.gates.images.items():
        bad = quality.loc[quality[reason], "image_id"]
        if len(bad) > most * len(quality):
            failing = candidate.rows[candidate.rows["image_id"].isin(bad)].assign(gate=reason)
            yield _line(len(bad), len(quality), f"images are flagged {reason}", most), failing[COLUMNS]


def _gone(region: Region, candidate: Candidate) -> Iterator[tuple[str, pd.DataFrame]]:
    if candidate.changes is None:
        return
    places, totals = candidate.changes.places, candidate.changes.totals
    if line := of_places(region, totals["gone"], len(places) - totals["added"]):
        yield line, places[places["fate"] == "gone"].assign(gate="gone", image_id="")[COLUMNS]


def _line(count: int, total: int, what: str, most: float) -> str:
    return f"{count:,} of {total:,} {what}, {count / total:.1%} where {most:.1%} are allowed"
