"""Encode each picture once, and keep the features in the store.

In: hashes of pictures. Out: their features, ``[N, dim]``. Shards of half-precision rows lie under
``store/features/<encoder>-<weights>-<transform>/``; a shard is written whole, so an interrupted run goes on where it
was, and every value returned has gone through half precision, whether it was cached or not.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from os import cpu_count
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from geolocate.errors import PictureError, StorageError
from geolocate.models.image_encoders import ImageEncoder
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


def _read_shards(folder: Path) -> dict[str, np.ndarray]:
    """Read every cached row; a damaged shard is deleted, since it can be computed again."""
    rows: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            shard = load_file(path)
            hashes = [bytes(row).hex() for row in shard["sha256"].numpy()]
            rows |= zip(hashes, shard["features"].numpy(), strict=True)
        except (SafetensorError, KeyError, ValueError) as error:
            logger.warning("the cached features %s are damaged (%s) and will be computed again", path, error)
            path.unlink(missing_ok=True)
    return rows


def _encode_missing(
    root: DataRoot, encoder: ImageEncoder, missing: list[str], progress: Progress | None
) -> dict[str, np.ndarray]:
    rows: dict[str, np.ndarray] = {}
    pending: dict[str, np.ndarray] = {}
    encoder.module.eval()
    for names, pictures in _decoded_batches(root, encoder, missing):
        features = encoder.encode(_padded(pictures))[: len(names)].half().numpy()
        pending |= zip(names, features, strict=True)
        if len(pending) >= SHARD or len(rows) + len(pending) == len(missing):
            _write_shard(root.features(encoder.cache_key), pending)
            rows |= pending
            pending = {}
        if progress is not None:
            progress(len(rows) + len(pending), len(missing))
    return rows


def _padded(pictures: torch.Tensor) -> torch.Tensor:
    """Fill a last, short batch with black pictures."""
    short = BATCH - len(pictures)
    return torch.cat([pictures, pictures.new_zeros(short, *pictures.shape[1:])]) if short else pictures


def _decoded_batches(
    root: DataRoot, encoder: ImageEncoder, sha256s: list[str]
) -> Iterator[tuple[list[str], torch.Tensor]]:
    """Decode ahead in threads (Pillow lets go of the interpreter's lock), so that the encoder need not wait."""
    batches = [sha256s[start : start + BATCH] for start in range(0, len(sha256s), BATCH)]
    ahead = iter(batches)
    with ThreadPoolExecutor(max_workers=min(8, cpu_count() or 1)) as pool:

        def submit(batch: list[str]) -> list[Future[torch.Tensor]]:
            return [pool.submit(_picture, root, encoder, sha256) for sha256 in batch]

        waiting = [submit(batch) for batch in islice(ahead, 2)]
        try:
            for batch in batches:
                pictures = [future.result() for future in waiting.pop(0)]
                waiting += [submit(following) for following in islice(ahead, 1)]
                yield batch, torch.stack(pictures)
        finally:
            pool.shutdown(cancel_futures=True)


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
