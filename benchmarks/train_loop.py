"""(a) the training loop beside a bare PyTorch loop, and (d) an epoch from cached features beside one without.

Both loops train the same heads on the same features with the same batches, on one core, as the loop does by itself. The
loop's time is the whole window between the ends of its first and its last epoch: with validation and its distances,
both checkpoints and the curves, which the bare loop does not have.
"""

import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch.optim import AdamW

from benchmarks.train_inputs import in_memory, make_pictures, random_dataset
from geolocate.evaluation.val_distance import val_distance
from geolocate.models.clip import Clip
from geolocate.models.features import image_features
from geolocate.models.image_encoders import image_encoder
from geolocate.models.text_encoders import text_encoder
from geolocate.models.threads import one_thread
from geolocate.storage import DataRoot
from geolocate.training.config import TrainConfig
from geolocate.training.loop import train

ENCODER = "efficientnet-lite0=random"


def loops(folder: Path, images: int, rounds: int = 3, epochs: int = 3, pictures: int = 512) -> list[dict[str, Any]]:
    """Images a second of both loops, in turns, and of encoding; the median of the rounds."""
    root = DataRoot(folder / "data")
    config = TrainConfig(image_encoder=ENCODER, epochs=epochs, stop_patience=epochs)
    dataset = random_dataset(root, image_encoder(ENCODER), images)
    ours, bare = [], []
    for number in range(rounds):
        bare.append(bare_loop(root, dataset, config))
        ours.append(our_loop(root, dataset, config, f"round-{number}"))
    ratios = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    loop, plain, encoding = statistics.median(ours), statistics.median(bare), encoded(folder / "pictures", pictures)
    uncached = 1 / (1 / encoding + 1 / loop)
    return [
        {"part": "(a) loop", "what": "a bare PyTorch loop", "images/s": plain, "ratio": 1.0},
        {"part": "", "what": "our loop", "images/s": loop, "ratio": statistics.median(ratios), "aim": 0.95},
        {"part": "(d) cache", "what": "an epoch that encodes", "images/s": uncached, "ratio": 1.0},
        {"part": "", "what": "an epoch from cached features", "images/s": loop, "ratio": loop / uncached, "aim": 100},
    ]


def our_loop(root: DataRoot, dataset: Any, config: TrainConfig, run: str) -> float:
    """Images a second of ``train``, over all epochs but the first."""
    ends = []

    def tell(stage: str, *_: int) -> None:
        if stage == "epochs":
            ends.append(time.perf_counter())

    train(root, dataset, config, run, tell, val_distance(dataset))
    return len(dataset.rows("train")) * (len(ends) - 1) / (ends[-1] - ends[0])


def bare_loop(root: DataRoot, dataset: Any, config: TrainConfig) -> float:
    """Images a second of what anybody would write, over all epochs but the first."""
    features, classes = in_memory(root, image_encoder(ENCODER), dataset)
    captions = text_encoder(config.text_encoder).encode(list(dataset.classes["caption"]))
    clip = Clip(features.shape[1], captions.shape[1], config.clip).train()
    optimizer = AdamW(clip.parameters(), lr=config.lr_heads, weight_decay=config.weight_decay)
    started = 0.0
    with one_thread():
        for epoch in range(config.epochs):
            if epoch == 1:
                started = time.perf_counter()
            order = torch.randperm(len(features))
            total = 0.0
            for numbers in order.split(config.batch_size):
                mine = classes[numbers]
                images, texts = clip.embed_images(features[numbers]), clip.embed_texts(captions[mine])
                loss = clip.loss(images, texts, mine)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                clip.clamp_temperature()
                total += float(loss.detach())
    return len(features) * (config.epochs - 1) / (time.perf_counter() - started)


def encoded(folder: Path, count: int) -> float:
    """Pictures a second that are decoded and encoded, as an epoch without a cache would."""
    root, hashes, _ = make_pictures(folder, count)
    encoder = image_encoder(ENCODER)
    started = time.perf_counter()
    image_features(root, encoder, hashes)
    return count / (time.perf_counter() - started)
