"""Look at what a collection has asked for and paid so far, while it runs.

In: the ledger's file. Out: the totals. It only reads, holds nobody up, and makes no ledger where there is none.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from geolocate.collection.entries import Totals


def totals_so_far(ledger: Path, collection: str) -> Totals:
    """Return the collection's totals over all its runs; zeros where the ledger cannot be read just now."""
    query = "SELECT metadata_requests, image_requests, micro_usd, bytes FROM totals WHERE collection = ?"
    try:
        with closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)) as database:
            row = database.execute(query, (collection,)).fetchone()
    except sqlite3.Error:  # not made yet, or busy: the next look is a second away
        return Totals()
    return Totals(*row) if row else Totals()
