"""(b) the loader beside torchvision's ImageFolder: pictures of 640 pixels and 40 KB in, batches of 224 pixels out.

Both decode with two workers, give normalised float32 batches of 64, and meet each picture once an epoch in a new order.
ImageFolder resizes the shorter side and cuts out the middle, as the loader does; nothing is varied.
"""

import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.train_inputs import make_pictures
from geolocate.dataset.pack import pack_pictures
from geolocate.models.image_encoders import image_encoder
from geolocate.training.loader import Loader, packing

SIDE, BATCH, WORKERS = 224, 64, 2


def loaders(folder: Path, count: int, rounds: int = 3, workers: int = WORKERS) -> list[dict[str, Any]]:
    """Pictures a second of both, in turns: first epochs with packing, later ones without.

    ``workers`` are ImageFolder's processes, 0 for none: they need shared memory, which not every container has.
    """
    root, hashes, by_class = make_pictures(folder, count)
    encoder = image_encoder("resnet50=random", SIDE)
    theirs, firsts, laters = [], [], []
    for number in range(rounds):
        theirs.append(_rate(_image_folder(by_class, encoder, number, workers), count))
        started = time.perf_counter()
        loader = Loader(pack_pictures(root, packing(SIDE), hashes), encoder, WORKERS)
        _through(loader.batches(_batches(count, number)))
        firsts.append(count / (time.perf_counter() - started))
        laters.append(_rate(loader.batches(_batches(count, number + 1)), count))
        loader.close()
        for path in (root.path / "store" / "packs").rglob("*.safetensors"):
            path.unlink()
    first, later = (
        statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True)) for ours in (firsts, laters)
    )
    median = statistics.median
    return [
        {"part": "(b) loader", "what": "torchvision's ImageFolder", "images/s": median(theirs), "ratio": 1.0},
        {"part": "", "what": "first epoch, packing included", "images/s": median(firsts), "ratio": first, "aim": 1.8},
        {"part": "", "what": "later epochs", "images/s": median(laters), "ratio": later, "aim": 6},
    ]


def _image_folder(folder: Path, encoder: Any, seed: int, workers: int) -> DataLoader[Any]:
    steps = [transforms.Resize(SIDE), transforms.CenterCrop(SIDE), transforms.ToTensor()]
    dataset = ImageFolder(str(folder), transforms.Compose([*steps, transforms.Normalize(encoder.mean, encoder.std)]))
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, generator=generator)


def _batches(count: int, seed: int) -> list[np.ndarray]:
    order = np.random.default_rng(seed).permutation(count)
    return [order[start : start + BATCH] for start in range(0, count, BATCH)]


def _rate(batches: Iterable[Any], count: int) -> float:
    started = time.perf_counter()
    _through(batches)
    return count / (time.perf_counter() - started)


def _through(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass
