"""Pack pictures once, as small as an encoder wants them, into few large files.

In: hashes of pictures in the store, and a transform. Out: the transformed JPEGs, read in place from
``store/packs/<transform>/<shard>.safetensors`` (``jpegs``: their bytes one after another; ``ends``: where each ends;
``sha256``: of the picture that each was made of). A shard is written whole, so an interrupted packing goes on where it
was; what is forgotten is erased from every shard.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from geolocate.errors import PictureError, StorageError
from geolocate.storage import DataRoot, atomic_write, safe_name

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

#: Pictures a file: some 15 MB at 224 pixels. A kill loses at most this many pictures' work, a few seconds.
SHARD = 1024


@dataclass(frozen=True, slots=True)
class Transform:
    """What is done to each picture: ``apply`` turns its bytes into a JPEG's, or raises PictureError.

    ``key`` names it, size included, and is the name of the packs' folder: change it with the deed.
    """

    key: str
    apply: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class _Shard:
    """One file, mapped into memory: the system reads what is asked for, when it is asked for."""

    sha256s: list[str]
    ends: np.ndarray
    jpegs: torch.Tensor

    def bounds(self) -> Iterator[tuple[str, int, int]]:
        """Give each picture's hash, and where its bytes begin and end."""
        return zip(self.sha256s, [0, *self.ends[:-1].tolist()], self.ends.tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class Pack:
    """Packed pictures by number, in the order that they were asked for."""

    shards: tuple[torch.Tensor, ...]
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def jpegs(self, numbers: Sequence[int]) -> list[torch.Tensor]:
        """Give the JPEG bytes of the pictures with these numbers, one ``uint8`` vector each, without copying."""
        return [self.shards[shard][start:end] for shard, start, end in self.places[numbers].tolist()]


def packs_folder(root: DataRoot, transform: str) -> Path:
    """Where the packs of one transform lie."""
    return root.path / "store" / "packs" / safe_name(transform)


def pack_pictures(
    root: DataRoot, transform: Transform, sha256s: Sequence[str], progress: Progress | None = None
) -> Pack:
    """Give pictures of the store as a pack, after packing those that are not packed yet.

    ``progress(done, total)`` counts the latter. Raises StorageError for a picture that is not in the store and
    PictureError for one that cannot be read; what was packed before is kept.
    """
    folder = packs_folder(root, transform.key)
    wanted = list(dict.fromkeys(sha256s))
    packed = {sha256 for shard in _shards(folder) for sha256 in shard.sha256s}
    missing = [sha256 for sha256 in wanted if sha256 not in packed]
    if missing:
        _pack(root, transform, missing, progress)
    return _opened(folder, sha256s)


def erase_packed(root: DataRoot, sha256s: Collection[str]) -> int:
    """Erase pictures from the packs of all transforms; return how many rows there were."""
    gone, erased = frozenset(sha256s), 0
    for path in sorted((root.path / "store" / "packs").glob("*/*.safetensors")):
        shard = _read(path)
        if shard is None or gone.isdisjoint(shard.sha256s):
            continue
        kept = {sha256: bytes(shard.jpegs[a:b].numpy()) for sha256, a, b in shard.bounds() if sha256 not in gone}
        if kept:
            _write(path.parent, kept)
        path.unlink()
        erased += len(shard.sha256s) - len(kept)
    return erased


def _opened(folder: Path, sha256s: Sequence[str]) -> Pack:
    shards = list(_shards(folder))
    where = {
        sha256: (number, start, end) for number, shard in enumerate(shards) for sha256, start, end in shard.bounds()
    }
    places = np.array([where[sha256] for sha256 in sha256s], dtype=np.int64).reshape(-1, 3)
    return Pack(tuple(shard.jpegs for shard in shards), places)


def _shards(folder: Path) -> Iterator[_Shard]:
    for path in sorted(folder.glob("*.safetensors")):
        shard = _read(path)
        if shard is not None:
            yield shard


def _read(path: Path) -> _Shard | None:
    """Open one file; a damaged one is deleted, since it can be packed again."""
    try:
        with safe_open(path, framework="pt") as file:
            hashes, ends, jpegs = (file.get_tensor(name) for name in ("sha256", "ends", "jpegs"))
        return _Shard([bytes(row).hex() for row in hashes.numpy()], ends.numpy(), jpegs)
    except (SafetensorError, KeyError, ValueError) as error:
        logger.warning("the pack %s is damaged (%s) and will be made again", path, error)
        path.unlink(missing_ok=True)
        return None


def _pack(root: DataRoot, transform: Transform, missing: list[str], progress: Progress | None) -> None:
    def packed(sha256: str) -> bytes:
        path = root.image(sha256)
        try:
            return transform.apply(path.read_bytes())
        except FileNotFoundError as error:
            raise StorageError(f"no picture {path}: collect the dataset's collection again") from error
        except PictureError as error:
            raise PictureError(f"{path}: {error}; delete the file and collect again") from error

    folder = packs_folder(root, transform.key)
    workers = min(16, os.cpu_count() or 1)
    # Torch's own threads beside these would only wait for each other.
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for start in range(0, len(missing), SHARD):
                names = missing[start : start + SHARD]
                _write(folder, dict(zip(names, pool.map(packed, names), strict=True)))
                if progress is not None:
                    progress(start + len(names), len(missing))
        finally:
            pool.shutdown(cancel_futures=True)


def _write(folder: Path, jpegs: dict[str, bytes]) -> None:
    """Write one shard, named after what it holds."""
    hashes = np.stack([np.frombuffer(bytes.fromhex(sha256), dtype=np.uint8) for sha256 in jpegs])
    body = np.frombuffer(b"".join(jpegs.values()), dtype=np.uint8).copy()
    tensors = {
        "sha256": torch.from_numpy(hashes),
        "ends": torch.from_numpy(np.cumsum([len(jpeg) for jpeg in jpegs.values()], dtype=np.int64)),
        "jpegs": torch.from_numpy(body),
    }
    name = hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
    with atomic_write(folder / f"{name}.safetensors") as file:
        file.write(save(tensors))
