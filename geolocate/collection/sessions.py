"""Who is at work on a ledger: sessions that end, and their claims with them, when their process does.

In: the ledger's path. Out: a session's name, and whether another's is alive. The system drops a dead process's lock,
so that a kill at any instant ends a session.
"""

import fcntl
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO

#: Younger files stay: between a file's making and its lock, its process looks dead.
_SWEPT_AFTER_S = 3600.0


class Session:
    """One session, from its making to ``close`` or to the end of the process."""

    def __init__(self, ledger: Path) -> None:
        self.name = uuid.uuid4().hex
        self._folder = ledger.parent / "sessions"
        self._lock = hold(self._file(self.name))
        self._sweep()

    def close(self) -> None:
        """End the session."""
        self._lock.close()
        self._file(self.name).unlink(missing_ok=True)

    def is_alive(self, name: str) -> bool:
        """Say whether the session of this name, perhaps one's own, is still at work."""
        if name == self.name:
            return True
        try:
            with self._file(name).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _sweep(self) -> None:
        """Remove what killed processes left; a file that is gone tells the same as one whose lock is free."""
        before = time.time() - _SWEPT_AFTER_S
        for path in self._folder.glob("*.lock"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before and not self.is_alive(path.stem):
                    path.unlink()

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


def hold(path: Path) -> IO[bytes]:
    """Wait for the lock of this file, and hold it until the file is closed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file
