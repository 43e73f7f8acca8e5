"""The tables of the ledger, and how those of an older ledger become today's.

In: an open database. Out: the same, with the tables that this program knows; what it holds stays.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geolocate.errors import StorageError

#: What each version of the tables added; a new ledger goes through all of them.
_FIRST = """
CREATE TABLE lookups (
    provider TEXT NOT NULL, world TEXT NOT NULL, lat REAL NOT NULL, lon REAL NOT NULL, radius_m REAL NOT NULL,
    source TEXT NOT NULL, answer TEXT NOT NULL, collection TEXT NOT NULL, answered_at TEXT NOT NULL,
    PRIMARY KEY (provider, world, lat, lon, radius_m, source)
) WITHOUT ROWID;
CREATE TABLE images (
    world TEXT NOT NULL, image_id TEXT NOT NULL, provider TEXT NOT NULL, source_id TEXT NOT NULL,
    heading REAL NOT NULL, pitch REAL NOT NULL, fov REAL NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    state TEXT NOT NULL, session TEXT, reason TEXT, sha256 TEXT, bytes INTEGER, rights TEXT, answered_at TEXT,
    PRIMARY KEY (world, image_id)
) WITHOUT ROWID;
CREATE INDEX images_by_source ON images (source_id);
CREATE INDEX images_by_sha256 ON images (sha256);
CREATE TABLE charges (
    charge_id INTEGER PRIMARY KEY, collection TEXT NOT NULL, world TEXT NOT NULL, image_id TEXT NOT NULL,
    micro_usd INTEGER NOT NULL, state TEXT NOT NULL, http_status INTEGER, intended_at TEXT NOT NULL, answered_at TEXT
);
CREATE TABLE totals (
    collection TEXT PRIMARY KEY, metadata_requests INTEGER NOT NULL DEFAULT 0,
    image_requests INTEGER NOT NULL DEFAULT 0, micro_usd INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""
#: How often something was asked in a day, where a provider answers only so often.
_DAYS = """
CREATE TABLE days (
    what TEXT NOT NULL, day TEXT NOT NULL, requests INTEGER NOT NULL, PRIMARY KEY (what, day)
) WITHOUT ROWID;
"""
#: How often a picture was paid for without being one.
_PAID = "ALTER TABLE images ADD COLUMN paid INTEGER NOT NULL DEFAULT 0"
_STEPS = (_FIRST, _DAYS, _PAID)
SCHEMA_VERSION = len(_STEPS)


def bring_up_to_date(database: sqlite3.Connection, path: Path) -> None:
    """Create what is missing, inside a transaction; raise StorageError for a ledger of a later program."""
    found = int(database.execute("PRAGMA user_version").fetchone()[0])
    if found > SCHEMA_VERSION:
        raise StorageError(f"{path} has version {found}, this program knows {SCHEMA_VERSION}: update the program")
    for step in _STEPS[found:]:
        for statement in step.strip().split(";\n"):
            database.execute(statement)
    if found < SCHEMA_VERSION:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the ledger's file into a StorageError that says what to do."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        if isinstance(error, StorageError):
            raise
        advice = {
            "database or disk is full": "the disk is full: free some space and run again, finished work is kept",
            "disk I/O error": "the disk gives errors or is full: free some space and run again, finished work is kept",
        }.get(str(error), f"{error}: see that the folder is writable, then run again")
        raise StorageError(f"cannot write {path}: {advice}") from error
    except sqlite3.DatabaseError as error:
        raise StorageError(f"{path} is no ledger ({error}): restore it, or move it away and start anew") from error
