"""Look at what was asked for and paid so far, also while collections run.

In: the ledger's file. Out: totals, and the pace. It only reads, holds nobody up, and makes no ledger.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geolocate.collection.entries import Totals
from geolocate.records import World

#: The pace is that of the last so many pictures; fewer than the second number tell none.
_LAST, _ENOUGH = 20_000, 300


@dataclass(frozen=True, slots=True)
class Lately:
    """What this data root has bought: this calendar month (UTC), and how fast the last pictures came, if any did."""

    billed_this_month: int = 0
    images_per_second: float | None = None


def totals_so_far(ledger: Path, collection: str) -> Totals:
    """Return the collection's totals over all its runs; zeros where the ledger cannot be read just now."""
    query = "SELECT metadata_requests, image_requests, micro_usd, bytes FROM totals WHERE collection = ?"
    row = _first_row(ledger, query, collection)
    return Totals(*row) if row else Totals()


def lately(ledger: Path, world: World) -> Lately:
    """Return what was billed this month in a world, and the pace of the last pictures; nothing without a ledger.

    The pace is that of the seconds in which a picture was settled, so that the time between two runs does not count.
    """
    month = datetime.now(UTC).strftime("%Y-%m")
    billed = "SELECT COUNT(*) FROM charges WHERE world GLOB ? AND micro_usd > 0 AND intended_at >= ?"
    last = (
        "SELECT COUNT(*), COUNT(DISTINCT answered_at) FROM (SELECT answered_at FROM charges WHERE world GLOB ? AND "
        "answered_at IS NOT NULL ORDER BY charge_id DESC LIMIT ?)"
    )
    (count,) = _first_row(ledger, billed, f"{world}*", month) or (0,)
    images, seconds = _first_row(ledger, last, f"{world}*", _LAST) or (0, 0)
    return Lately(count, images / seconds if images >= _ENOUGH else None)


def latest_realm(ledger: Path, provider: str, world: World) -> str | None:
    """Return the world, with its version, of the provider's last answer in a world; None where there is none."""
    query = "SELECT world FROM lookups WHERE provider = ? AND world GLOB ? ORDER BY answered_at DESC LIMIT 1"
    row = _first_row(ledger, query, provider, f"{world}*")
    return str(row[0]) if row else None


def _first_row(ledger: Path, query: str, *values: object) -> tuple[Any, ...] | None:
    """Ask one question; None where there is no ledger yet, or it is busy: the next look is a second away."""
    try:
        with closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)) as database:
            row: tuple[Any, ...] | None = database.execute(query, values).fetchone()
            return row
    except sqlite3.Error:
        return None
