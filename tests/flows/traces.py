"""Look for secrets in everything that a run leaves behind, in whichever form they may hide."""

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq

SECRETS = {
    "GOOGLE_MAPS_API_KEY": "AIza+recognisable/key=0123456789",
    "GOOGLE_MAPS_SIGNING_SECRET": "cmVjb2duaXNhYmxlLXNlY3JldC0_Pz4-fn4=",
    "MAPILLARY_TOKEN": "MLY|recognisable|token/0123456789+abc=",
}


def forms_of(secret: str) -> set[bytes]:
    """A secret as it is, quoted for a URL, in JSON, in hexadecimal, and inside any longer Base64."""
    plain = secret.encode()
    # Base64 of a longer text shows the secret in one of three shapes, by where it begins; its edges mix with the rest.
    inside = {
        base64.b64encode(b"\0" * shift + plain, altchars)[4 * (shift > 0) : -4]
        for shift in range(3)
        for altchars in (None, b"-_")
    }
    quoted = {quote(secret, safe="").encode(), quote_plus(secret).encode(), quote(secret).encode()}
    return {plain, plain.replace(b"/", rb"\/"), plain.hex().encode(), *quoted, *inside}


def secrets_in(body: bytes) -> list[str]:
    """Name the secrets that a body holds."""
    return [name for name, secret in SECRETS.items() if any(form in body for form in forms_of(secret))]


def secrets_under(folder: Path) -> list[str]:
    """Name each file that holds a secret, as it lies there or decoded."""
    return [
        f"{name} in {path}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for body in _bodies(path)
        for name in secrets_in(body)
    ]


def _bodies(path: Path) -> Iterator[bytes]:
    body = path.read_bytes()
    yield str(path).encode()
    yield body
    if path.suffix == ".parquet":
        yield pq.read_table(path).to_pandas().to_csv().encode()
    if body.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(path)) as database:
            yield "\n".join(database.iterdump()).encode()


def command_lines() -> set[bytes]:
    """What `ps` would show anybody on this machine just now."""
    seen = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen.add(path.read_bytes().replace(b"\0", b" "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return seen
