"""Every request to every provider of one data root: asked, answered, paid.

In: keys of lookups and pictures. Out: what is known already, and the right to send one request. One SQLite file in
write-ahead mode. ``synchronous`` is FULL, so that the intent to buy is on the disk before the request leaves, also
where the power fails; group commits (see writer.py) keep that cheap.

A picture's row passes from ``intended`` (claimed by a living session, perhaps on its way) to ``kept`` (its bytes are
in the store), ``rejected`` (answered, and no further attempt will help), ``open`` (may be tried again) or
``forgotten``. Money is counted in millionths of a dollar.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from geolocate.collection.answers import answer_from_json, answer_to_json, rights_from
from geolocate.collection.entries import (
    FINAL,
    MOST_PAID,
    Bill,
    Caps,
    Charge,
    ImageKey,
    ImageRow,
    SearchKey,
    Settlement,
    Totals,
)
from geolocate.collection.ledger_schema import bring_up_to_date, storage_errors
from geolocate.collection.purse import Purse
from geolocate.collection.sessions import Session, hold
from geolocate.records import ImageReason, Miss, Panorama, Rights

_BUSY_MS = 120_000
#: How much of the file a session keeps in memory at most.
_CACHE_KIB = 32 * 1024
#: So many keys are looked up in one query.
_AT_ONCE = 200


class Ledger:
    """One open session on the ledger; the session ends, and its claims with it, when the process does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors(path):
            self._session = Session(path)
            # Changing the journal's mode waits for nobody: one of two that open a new ledger at once would fail.
            with hold(path.with_suffix(".opening")):
                self._db = self._open()
            self._purse = Purse(self._db)
            with self.transaction():
                bring_up_to_date(self._db, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and end the session."""
        self._db.close()
        self._session.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000)
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        # Keys are hashes, so that each picture touches pages of its own: the upper ones at least stay in memory.
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return database

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything inside, or nothing; other processes wait.

        Raises StorageError when the disk is full or the file is no ledger.
        """
        with storage_errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._purse.write()
                self._db.execute("COMMIT")
            except BaseException:
                self._purse.drop()
                # Some errors, such as a full disk, have undone it already: then this must not hide them.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    # Lookups: free, but never asked for twice either.

    def answers(self, keys: Iterable[SearchKey]) -> list[Panorama | Miss | None]:
        """Return what is known about each search, None where nothing is."""
        query = (
            "SELECT answer FROM lookups WHERE provider = ? AND world = ? AND lat = ? AND lon = ? AND radius_m = ? "
            "AND source = ?"
        )
        with storage_errors(self._path):
            rows = [self._db.execute(query, astuple(key)).fetchone() for key in keys]
        return [answer_from_json(row["answer"]) if row else None for row in rows]

    def record_answer(self, key: SearchKey, answer: Panorama | Miss, collection: str) -> None:
        """Keep what the provider said, inside a transaction."""
        self._db.execute(
            "INSERT OR REPLACE INTO lookups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*astuple(key), answer_to_json(answer), collection, now()),
        )
        self.count_metadata(collection)

    def count_metadata(self, collection: str) -> None:
        """Add one metadata request to the collection's totals, inside a transaction."""
        self._purse.add(collection, Totals(metadata_requests=1))

    # Pictures: intent and price before, outcome after.

    def image(self, key: ImageKey) -> ImageRow | None:
        """Return what is known about a picture."""
        with storage_errors(self._path):
            return self._row(key)

    def _row(self, key: ImageKey) -> ImageRow | None:
        query = f"SELECT {_COLUMNS} FROM images WHERE world = ? AND image_id = ?"  # noqa: S608
        row = self._db.execute(query, (key.world, key.image_id)).fetchone()
        return _image_row(*row) if row else None

    def images(self, keys: Sequence[ImageKey]) -> list[ImageRow | None]:
        """Return what is known about each picture, None where nothing is."""
        named = [(key.world, key.image_id) for key in keys]
        known: dict[tuple[str, str], ImageRow] = {}
        with storage_errors(self._path):
            for world in {world for world, _ in named}:
                # In the table's own order, neighbours come with one page.
                ids = sorted(image_id for its_world, image_id in named if its_world == world)
                known |= {(world, name): row for name, row in self._images_of(world, ids)}
        return [known.get(name) for name in named]

    def _images_of(self, world: str, ids: Sequence[str]) -> Iterator[tuple[str, ImageRow]]:
        """Look up many pictures of one world; with pairs of world and id SQLite would read the whole table."""
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT {_COLUMNS}, image_id FROM images WHERE world = ? AND image_id IN ({marks})"  # noqa: S608
            for *columns, name in self._db.execute(query, (world, *some)):
                yield name, _image_row(*columns)

    def reserve(self, collection: str, key: ImageKey, micro_usd: int, caps: Caps) -> Charge | ImageRow | None:
        """Claim the picture and set its price aside, inside a transaction.

        Returns the charge to settle; or the row as it is where the picture is known or claimed by a living session;
        or None where a cap is reached.
        """
        row = self._row(key)
        if row and (row.state in FINAL or self._is_claimed(row)):
            return row
        if not self._purse.allows(collection, micro_usd, caps):
            return None
        return self._claim(collection, key, micro_usd)

    def settle(self, charge: Charge, result: Settlement) -> ImageRow:
        """Write down what came of a request, inside a transaction, and return the picture's row.

        What was not billed is given back to the budget. A picture that was forgotten meanwhile stays forgotten.
        """
        row = ImageRow(result.state, None, result.reason, result.sha256, result.bytes, result.rights, now())
        price, back = (charge.micro_usd, 0) if result.billed else (0, 1)
        self._db.execute(
            "UPDATE charges SET state = ?, micro_usd = ?, http_status = ?, answered_at = ? WHERE charge_id = ?",
            ("free" if back else "billed", price, result.http_status, row.answered_at, charge.charge_id),
        )
        self._purse.add(charge.collection, Totals(0, -back, price - charge.micro_usd, result.bytes))
        rights = _rights_to_json(result.rights) if result.rights else None
        in_vain = result.state == "open" and result.billed and result.http_status is not None
        columns = (row.reason, row.sha256, row.bytes, rights, row.answered_at, charge.key.world, charge.key.image_id)
        changed = self._db.execute(
            f"UPDATE images SET state = CASE WHEN ?1 AND paid + 1 >= {MOST_PAID} THEN 'rejected' ELSE ?2 END, "  # noqa: S608
            "paid = paid + ?1, session = NULL, reason = ?3, sha256 = ?4, bytes = ?5, rights = ?6, answered_at = ?7 "
            "WHERE world = ?8 AND image_id = ?9 AND state <> 'forgotten' RETURNING state",
            (in_vain, row.state, *columns),
        ).fetchone()
        return replace(row, state=changed[0]) if changed else self.image(charge.key) or row

    def reopen(self, key: ImageKey) -> None:
        """Allow a picture to be asked for again: its file is gone or altered."""
        self._db.execute(
            "UPDATE images SET state = 'open', session = NULL, sha256 = NULL WHERE world = ? AND image_id = ?",
            (key.world, key.image_id),
        )

    def kept_images(self) -> list[tuple[str, str]]:
        """Return the image_id and hash of all pictures in the store; an id stands once for each world that has it."""
        query = "SELECT image_id, sha256 FROM images WHERE state = 'kept'"
        with storage_errors(self._path):
            return [(row["image_id"], row["sha256"]) for row in self._db.execute(query)]

    def images_named(self, name: str) -> list[str]:
        """Return the ids of the pictures that an image id or a source id stands for."""
        query = "SELECT DISTINCT image_id FROM images WHERE image_id = ? OR source_id = ?"
        with storage_errors(self._path):
            return [row["image_id"] for row in self._db.execute(query, (name, name)).fetchall()]

    def forget(self, names: Iterable[str]) -> list[str]:
        """Mark pictures (by image_id or source_id) as never to be asked for again, inside a transaction.

        Returns the hashes that no other picture uses. The rows keep theirs, so that forgetting again, after a kill
        before the files were removed, still finds the files.
        """
        hashes: set[str] = set()
        for name in names:
            where = "image_id = ? OR source_id = ?"
            rows = self._db.execute(f"SELECT sha256 FROM images WHERE {where}", (name, name)).fetchall()  # noqa: S608
            hashes |= {row["sha256"] for row in rows if row["sha256"]}
            self._db.execute(
                f"UPDATE images SET state = 'forgotten', session = NULL WHERE {where}",  # noqa: S608
                (name, name),
            )
        used = "SELECT 1 FROM images WHERE sha256 = ? AND state = 'kept'"
        return sorted(sha256 for sha256 in hashes if not self._db.execute(used, (sha256,)).fetchone())

    def totals(self, collection: str) -> Totals:
        """Return what the collection has asked for and paid so far, requests under way included."""
        return self._purse.totals(collection)

    def bill(self, collection: str | None = None) -> Bill:
        """Add up the single requests of one collection, or of the whole root those that cost something."""
        with storage_errors(self._path):
            return self._purse.bill(collection)

    def unsettled(self, collection: str) -> int:
        """Count the requests of which nobody knows what came: sent, perhaps, by a run that was killed."""
        query = "SELECT COUNT(*) FROM charges WHERE collection = ? AND state = 'intended'"
        return int(self._db.execute(query, (collection,)).fetchone()[0])

    def is_held(self, key: ImageKey) -> bool:
        """Say whether a living session is on its way for the picture."""
        row = self.image(key)
        return row is not None and self._is_claimed(row)

    def is_kept(self, sha256: str) -> bool:
        """Say whether some picture in the store has these bytes."""
        query = "SELECT 1 FROM images WHERE sha256 = ? AND state = 'kept'"
        with storage_errors(self._path):
            return self._db.execute(query, (sha256,)).fetchone() is not None

    def spend_today(self, what: str, limit: int) -> bool:
        """Count one more of what may be asked ``limit`` times a day (UTC), inside a transaction; False at the limit."""
        return self._purse.spend_on(now()[:10], what, limit)

    def _claim(self, collection: str, key: ImageKey, micro_usd: int) -> Charge:
        view = key.view
        self._db.execute(
            "INSERT INTO images (world, image_id, provider, source_id, heading, pitch, fov, width, height, state, "
            "session) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'intended', ?) "
            "ON CONFLICT DO UPDATE SET state = 'intended', session = excluded.session",
            (
                key.world,
                key.image_id,
                key.provider,
                key.source_id,
                view.heading,
                view.pitch,
                view.fov,
                view.width,
                view.height,
                self._session.name,
            ),
        )
        cursor = self._db.execute(
            "INSERT INTO charges (collection, world, image_id, micro_usd, state, intended_at) "
            "VALUES (?, ?, ?, ?, 'intended', ?)",
            (collection, key.world, key.image_id, micro_usd, now()),
        )
        self._purse.add(collection, Totals(0, 1, micro_usd))
        return Charge(int(cursor.lastrowid or 0), collection, key, micro_usd)

    def _is_claimed(self, row: ImageRow) -> bool:
        """A claim holds while the session that made it lives, be it this one."""
        return row.state == "intended" and row.session is not None and self._session.is_alive(row.session)


def now() -> str:
    """Return the present moment, UTC, to the second."""
    return _written(int(time.time()))


@lru_cache(maxsize=1)
def _written(second: int) -> str:
    """Many requests share a second."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=64)
def _rights_to_json(rights: Rights) -> str:
    """All pictures of one endpoint share their rights."""
    return json.dumps(asdict(rights))


@lru_cache(maxsize=64)
def _rights_from_json(text: str) -> Rights:
    return rights_from(json.loads(text))


#: What an ImageRow is made of, in its order.
_COLUMNS = "state, session, reason, sha256, bytes, rights, answered_at"


def _image_row(state: str, session: str | None, reason: str | None, *rest: Any) -> ImageRow:
    sha256, size, rights, answered_at = rest
    why = ImageReason(reason) if reason else None
    return ImageRow(state, session, why, sha256, size, _rights_from_json(rights) if rights else None, answered_at)
