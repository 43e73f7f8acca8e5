"""Encode each picture once, and keep the features in the store.

In: hashes of pictures. Out: their features, ``[N, dim]``. Shards of half-precision rows lie under
``store/features/<encoder>-<weights>-<transform>/``; a shard is written whole, so an interrupted run goes on where it
was, and every value returned has gone through half precision, whether it was cached or not.
"""

import hashlib
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from geolocate.errors import PictureError, StorageError
from geolocate.models.image_encoders import ImageEncoder
from geolocate.models.threads import one_thread
from geolocate.storage import DataRoot, atomic_write

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

#: Pictures a batch: the encoder always sees this many, so a feature does not depend on what was cached before.
BATCH = 32
#: A kill loses at most this many pictures' work: some 3 s on two cores, 1.3 MB a shard.
SHARD = 256


def image_features(
    root: DataRoot, encoder: ImageEncoder, sha256s: Sequence[str], progress: Progress | None = None
) -> torch.Tensor:
    """Give the features of pictures in the store, ``[N, dim]`` float32, in the order asked for.

    Only what is not cached is computed; ``progress(done, total)`` counts those. Raises StorageError for a picture
    that is not in the store and PictureError for one that cannot be read; what was encoded before is kept.
    """
    folder = root.features(encoder.cache_key)
    wanted = list(dict.fromkeys(sha256s))
    known = _read_shards(folder)
    missing = [sha256 for sha256 in wanted if sha256 not in known]
    if missing:
        known |= _encode_missing(root, encoder, missing, progress)
    if not wanted:
        return torch.empty(0, encoder.dim)
    return torch.from_numpy(np.stack([known[sha256] for sha256 in sha256s])).float()


def erase_features(root: DataRoot, sha256s: Collection[str]) -> int:
    """Erase the features of pictures from the caches of all encoders; return how many rows there were."""
    gone, erased = frozenset(sha256s), 0
    for path in sorted((root.path / "store" / "features").glob("*/*.safetensors")):
        rows = _read_shard(path)
        kept = {sha256: feature for sha256, feature in rows.items() if sha256 not in gone}
        if len(kept) == len(rows):
            continue
        if kept:
            _write_shard(path.parent, kept)
        path.unlink(missing_ok=True)
        erased += len(rows) - len(kept)
    return erased


def _read_shards(folder: Path) -> dict[str, np.ndarray]:
    """Read every cached row."""
    rows: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        rows |= _read_shard(path)
    return rows


def _read_shard(path: Path) -> dict[str, np.ndarray]:
    """Read one shard; a damaged one is deleted, since it can be computed again."""
    try:
        shard = load_file(path)
        hashes = [bytes(row).hex() for row in shard["sha256"].numpy()]
        return dict(zip(hashes, shard["features"].numpy(), strict=True))
    except (SafetensorError, KeyError, ValueError) as error:
        logger.warning("the cached features %s are damaged (%s) and will be computed again", path, error)
        path.unlink(missing_ok=True)
        return {}


def _encode_missing(
    root: DataRoot, encoder: ImageEncoder, missing: list[str], progress: Progress | None
) -> dict[str, np.ndarray]:
    rows: dict[str, np.ndarray] = {}
    pending: dict[str, np.ndarray] = {}
    for names, features in _encoded_batches(root, encoder, missing):
        pending |= zip(names, features, strict=True)
        if len(pending) >= SHARD or len(rows) + len(pending) == len(missing):
            _write_shard(root.features(encoder.cache_key), pending)
            rows |= pending
            pending = {}
        if progress is not None:
            progress(len(rows) + len(pending), len(missing))
    return rows


def _encoded_batches(
    root: DataRoot, encoder: ImageEncoder, sha256s: list[str]
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Decode and encode whole batches side by side, one core each.

    Cores that share a batch wait for each other at every layer, which costs several times the work itself as soon
    as anything else runs on the machine; and one core a batch gives the same bits whatever their number.
    """

    def encoded(batch: list[str]) -> np.ndarray:
        pictures = torch.stack([_picture(root, encoder, sha256) for sha256 in batch])
        return encoder.encode(_padded(pictures))[: len(batch)].half().numpy()

    encoder.module.eval()
    batches = [sha256s[start : start + BATCH] for start in range(0, len(sha256s), BATCH)]
    with (
        one_thread(),
        ThreadPoolExecutor(min(16, cpu_count() or 1), initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        try:
            yield from zip(batches, pool.map(encoded, batches), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _padded(pictures: torch.Tensor) -> torch.Tensor:
    """Fill a last, short batch with black pictures."""
    short = BATCH - len(pictures)
    return torch.cat([pictures, pictures.new_zeros(short, *pictures.shape[1:])]) if short else pictures


def _picture(root: DataRoot, encoder: ImageEncoder, sha256: str) -> torch.Tensor:
    path = root.image(sha256)
    try:
        return encoder.preprocess(path.read_bytes())
    except FileNotFoundError as error:
        raise StorageError(f"no picture {path}: collect the dataset's collection again") from error
    except PictureError as error:
        raise PictureError(f"{path}: {error}; delete the file and collect again") from error


def _write_shard(folder: Path, rows: dict[str, np.ndarray]) -> None:
    hashes = np.stack([np.frombuffer(bytes.fromhex(sha256), dtype=np.uint8) for sha256 in rows])
    name = hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
    tensors = {"sha256": torch.from_numpy(hashes), "features": torch.from_numpy(np.stack(list(rows.values())))}
    with atomic_write(folder / f"{name}.safetensors") as file:
        file.write(save(tensors))
