"""One training at a time on a dataset version: a lease that is named after the version.

In: the version and who wants it. Out: the lease, for as long as a block lasts. The system drops a dead process's
lock, so that a kill at any instant ends the lease with its holder, and nothing is left to be cleared away.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geolocate.errors import LeaseError
from geolocate.storage import DataRoot, safe_name


@contextmanager
def lease(root: DataRoot, version: str, holder: str) -> Iterator[None]:
    """Hold ``NAME@VERSION`` of a dataset; raises LeaseError, naming who has it, at once where another does."""
    path = root.path / "store" / "leases" / "@".join(safe_name(part) for part in version.split("@"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseError(
                f"{version} is being trained on by {_told_by(path)}: wait until that has ended, or cancel it"
            ) from None
        # Whoever is refused reads it; it says nothing once the lock is gone.
        file.truncate(0)
        file.write(f"{holder}, process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _told_by(path: Path) -> str:
    return path.read_text(encoding="utf-8") or "another run, which begins just now"
