"""What each collection has spent, and whether it may spend more.

In: an open ledger. Out: totals by collection, and counts by day. Inside a transaction nobody else can change them, so
that they are read once, kept in memory, and written back before the commit.
"""

import sqlite3
from dataclasses import astuple

from geolocate.collection.entries import Bill, Caps, Totals


class Purse:
    """The totals of one ledger; ``add``, ``allows`` and ``spend_on`` belong inside a transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database
        self._open: dict[str, Totals] = {}

    def totals(self, collection: str) -> Totals:
        """Return what the collection has asked for and paid so far, requests under way included."""
        if collection in self._open:
            return self._open[collection]
        row = self._db.execute("SELECT * FROM totals WHERE collection = ?", (collection,)).fetchone()
        return Totals(*(row[1:])) if row else Totals()

    def allows(self, collection: str, micro_usd: int, caps: Caps) -> bool:
        """Say whether one more picture at this price keeps within the caps."""
        spent = self.totals(collection)
        return (caps.images is None or spent.image_requests + 1 <= caps.images) and (
            caps.micro_usd is None or spent.micro_usd + micro_usd <= caps.micro_usd
        )

    def bill(self, collection: str | None = None) -> Bill:
        """Add up the requests of one collection, or those of all that cost something."""
        row = self._db.execute(
            "SELECT COUNT(*) FILTER (WHERE state = 'billed' AND http_status IS NOT NULL), "
            "COUNT(*) FILTER (WHERE state = 'intended' OR (state = 'billed' AND http_status IS NULL)), "
            "COALESCE(SUM(micro_usd), 0) FROM charges WHERE CASE WHEN ?1 IS NULL THEN micro_usd > 0 "
            "ELSE collection = ?1 END",
            (collection,),
        ).fetchone()
        return Bill(*row)

    def add(self, collection: str, more: Totals) -> None:
        """Add to the collection's totals; what is given back is negative."""
        so_far = self.totals(collection)
        self._open[collection] = Totals(
            so_far.metadata_requests + more.metadata_requests,
            so_far.image_requests + more.image_requests,
            so_far.micro_usd + more.micro_usd,
            so_far.bytes + more.bytes,
        )

    def write(self) -> None:
        """Write the totals back, at the end of a transaction."""
        rows = [(collection, *astuple(totals)) for collection, totals in self._open.items()]
        if rows:
            self._db.executemany("INSERT OR REPLACE INTO totals VALUES (?, ?, ?, ?, ?)", rows)
        self._open.clear()

    def drop(self) -> None:
        """Forget what was added, when a transaction is undone."""
        self._open.clear()

    def spend_on(self, day: str, what: str, limit: int) -> bool:
        """Count one more of what may be asked ``limit`` times a day; False at the limit."""
        row = self._db.execute("SELECT requests FROM days WHERE what = ? AND day = ?", (what, day)).fetchone()
        if row and row["requests"] >= limit:
            return False
        self._db.execute(
            "INSERT INTO days VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET requests = requests + 1", (what, day)
        )
        return True
