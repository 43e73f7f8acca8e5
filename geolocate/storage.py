"""Where everything lies under the data root, and how a file comes to lie there.

In: names that people choose. Out: paths that never leave the root, and files that are either whole or absent.
"""

import errno
import hashlib
import itertools
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from geolocate.errors import StorageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def safe_name(name: str) -> str:
    """Return the name when it can be a folder's name under the data root, else raise StorageError."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise StorageError(
            f"name {name!r}: use 1 to 100 letters, digits, '.', '_' or '-', starting with a letter or digit"
        )
    return name


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The data root and the fixed layout below it."""

    path: Path

    @property
    def ledger(self) -> Path:
        """Every request to every provider of this root: asked, answered, paid."""
        return self.path / "store" / "ledger.sqlite"

    @property
    def tombstones(self) -> Path:
        """What was forgotten; every reader honours it."""
        return self.path / "store" / "tombstones.parquet"

    @property
    def forgotten(self) -> Path:
        """Each time that something was forgotten: why, by which rule, and who had held it."""
        return self.path / "store" / "forgotten.json"

    def image(self, sha256: str) -> Path:
        """The content-addressed picture."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise StorageError(f"image hash {sha256!r}: 64 hexadecimal digits are needed; the manifest is damaged")
        return Path(self._image(sha256))

    def _image(self, sha256: str) -> str:
        return f"{self.path}/store/images/{sha256[:2]}/{sha256}.jpg"

    def has_image(self, sha256: str, size: int) -> bool:
        """Whether the picture is in the store, as far as its size tells; hashing every picture would take too long."""
        try:
            return os.stat(self._image(sha256)).st_size == size  # noqa: PTH116 - a million times in a rerun
        except FileNotFoundError:
            return False

    @property
    def measures(self) -> Path:
        """What was measured of the pictures, thumbnails among it, by content hash."""
        return self.path / "store" / "measures"

    def pace(self, provider: str) -> Path:
        """What all processes that ask a provider share: whose turn is next, and until when all pause."""
        return self.path / "store" / "pace" / safe_name(provider)

    def features(self, encoder: str) -> Path:
        """The cached features of one encoder and transform."""
        return self.path / "store" / "features" / safe_name(encoder)

    def collection(self, name: str) -> Path:
        """The plan, outcomes and manifest of one collection."""
        return self.path / "collections" / safe_name(name)

    def dataset(self, name: str, version: str | None = None) -> Path:
        """All versions of a dataset, or one of them."""
        folder = self.path / "datasets" / safe_name(name)
        return folder / safe_name(version) if version else folder

    def run(self, name: str) -> Path:
        """One training run: configuration, checkpoints, curves, metrics, report."""
        return self.path / "runs" / safe_name(name)

    def model(self, name: str, version: str | None = None) -> Path:
        """All promoted versions of a model, or one of them."""
        folder = self.path / "models" / safe_name(name)
        return folder / safe_name(version) if version else folder


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Write beside, flush to disk, rename: readers see the old file or the whole new one, never a part.

    Raises StorageError when the disk is full or not writable; nothing is left beside the target then.
    """
    try:
        _make_folder(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise storage_error(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_all(bodies: Mapping[Path, bytes]) -> None:
    """Write several files as atomic_write would each; they and their names survive a power failure afterwards.

    Raises StorageError when the disk is full or not writable; files that were finished before stay.
    """
    for path, body in bodies.items():
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            _write_through(temporary, body)
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):  # what stood in the way of writing it may stand in the way of this
                temporary.unlink()
            raise storage_error(path, error) from error
    # A name is durable once its folder is; several files of one folder share that.
    for folder in {path.parent for path in bodies}:
        _flush(folder)


def _write_through(path: Path, body: bytes) -> None:
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o644)
    except FileNotFoundError:
        _make_folder(path.parent)
        handle = os.open(path, flags, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it; each name that is new is flushed to disk."""
    missing = [folder, *folder.parents]
    missing = list(itertools.takewhile(lambda one: not one.is_dir(), missing))
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _flush(made.parent)


def _flush(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise storage_error(folder, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """Turn the system's error into one line that says what to do."""
    if isinstance(error, StorageError):
        return error
    advice = {
        errno.ENOSPC: "the disk is full: free some space and run again, finished work is kept",
        errno.EACCES: "no permission: choose another GEOLOCATE_DATA or change the folder's owner",
        errno.EROFS: "the file system is read-only: choose another GEOLOCATE_DATA",
    }.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"cannot write {path}: {advice}")


def write_json(path: Path, value: Any) -> None:
    """Write JSON that is stable to the byte: sorted keys, two spaces, a final newline."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as file:
        file.write(text.encode() + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise StorageError(f"no file {path}: the step that writes it has not finished here") from error
    except ValueError as error:
        raise StorageError(f"{path} is not JSON ({error}): delete it and run the step again") from error


def sha256_of(body: bytes) -> str:
    """Hash bytes for content addressing."""
    return hashlib.sha256(body).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hash a file without reading it whole into memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
