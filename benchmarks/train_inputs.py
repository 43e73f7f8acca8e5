"""What the training benchmarks read: pictures of 640 pixels and 40 KB, and a dataset version of random features."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.collect_server import scene
from geolocate.dataset.versions import DatasetRef, DatasetVersion
from geolocate.models.features import SHARD, _write_shard
from geolocate.models.image_encoders import ImageEncoder
from geolocate.storage import DataRoot, sha256_of

CLASSES, DISTINCT = 50, 36


def make_pictures(folder: Path, count: int) -> tuple[DataRoot, list[str], Path]:
    """Put so many pictures into a store; return it, their hashes, and a folder of the same files by class.

    Some dozens of scenes are drawn; bytes after the picture's end make each file another one.
    """
    root, by_class = DataRoot(folder / "data"), folder / "by-class"
    scenes = [scene(seed, 640, 40_000) for seed in range(min(DISTINCT, count))]
    hashes = []
    for number in range(count):
        body = scenes[number % len(scenes)] + number.to_bytes(4, "big")
        hashes.append(sha256_of(body))
        path = root.image(hashes[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        link = by_class / f"class-{number % CLASSES:02d}" / f"{number:06d}.jpg"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.hardlink_to(path)
    return root, hashes, by_class


def random_dataset(root: DataRoot, encoder: ImageEncoder, images: int, val: int = 500) -> DatasetVersion:
    """A version of so many training images, with random features in the cache in place of their pictures."""
    rng = np.random.default_rng(0)
    count = images + val
    hashes = [rng.bytes(32).hex() for _ in range(count)]
    classes = rng.integers(CLASSES, size=count)
    middles = rng.normal(size=(CLASSES, encoder.dim)).astype(np.float16)
    for start in range(0, count, SHARD):
        mine = classes[start : start + SHARD]
        features = middles[mine] + rng.normal(size=(len(mine), encoder.dim)).astype(np.float16)
        _write_shard(root.features(encoder.cache_key), dict(zip(hashes[start : start + SHARD], features, strict=True)))
    frame = pd.DataFrame({"sha256": hashes, "image_id": [f"{number:07d}" for number in range(count)]})
    frame["source_id"] = frame["panorama_id"] = frame["image_id"]
    frame["heading"] = 0.0
    frame["lat"], frame["lon"] = 51 + classes / 20 + rng.normal(0, 0.02, count), rng.normal(-2, 0.02, count)
    frame["class_id"] = frame["class_name"] = [f"class-{number:02d}" for number in classes]
    frame["caption"] = "City: " + frame["class_name"]
    frame["part"] = ["train"] * images + ["val"] * val
    frame["license"], frame["rights_basis"] = "CC0-1.0", "own"
    table = frame[["class_id", "class_name", "caption"]].drop_duplicates().sort_values("class_id")
    card = {"region": "uk", "level": "city", "partition_version": "uk-1", "world": "emulated"}
    ref = DatasetRef("benchmark", "v0", sha256_of(str(images).encode()))
    return DatasetVersion(root.path, ref, card, frame, table.reset_index(drop=True))


def in_memory(root: DataRoot, encoder: ImageEncoder, dataset: DatasetVersion) -> tuple[torch.Tensor, torch.Tensor]:
    """The training images' features ``[N, D]`` and class numbers ``[N]``, as tensors."""
    from geolocate.models.features import image_features

    rows = dataset.rows("train")
    numbers = pd.Index(dataset.classes["class_id"]).get_indexer(pd.Index(rows["class_id"]))
    return image_features(root, encoder, list(rows["sha256"])), torch.from_numpy(numbers.astype(np.int64))
