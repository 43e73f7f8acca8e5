"""(a) the training loop beside a bare PyTorch loop, and (d) an epoch from cached features beside one without.

Both loops train the same heads on the same features with the same batches, on one core, as the loop does by itself. The
loop's time is the whole window between the ends of its first and its last epoch: with validation and its distances,
both checkpoints and the curves, which the bare loop does not have.
"""

import statistics
import time
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Rate:
    """Images a second, and images a second of processor time."""

    wall: float
    cpu: float


class Window:
    """Wall and processor time between its making and ``rate``."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def rate(self, images: int) -> Rate:
        """The rate of so many images until now."""
        return Rate(images / (time.perf_counter() - self.wall), images / (time.process_time() - self.cpu))


def loops(folder: Path, images: int, rounds: int = 5, epochs: int = 3, pictures: int = 128) -> list[dict[str, Any]]:
    """Images a second of both loops and of encoding, in turns; the median of the rounds."""
    root = DataRoot(folder / "data")
    config = TrainConfig(image_encoder=ENCODER, epochs=epochs, stop_patience=epochs)
    dataset = random_dataset(root, image_encoder(ENCODER), images)
    bare, ours, encoding = [], [], []
    for number in range(rounds):
        bare.append(bare_loop(root, dataset, config))
        ours.append(our_loop(root, dataset, config, f"round-{number}"))
        encoding.append(encoded(folder / f"pictures-{number}", pictures).wall)
    uncached = [1 / (1 / slow + 1 / fast.wall) for slow, fast in zip(encoding, ours, strict=True)]
    by_cpu = _ratio([rate.cpu for rate in ours], [rate.cpu for rate in bare])
    plain, loop = [rate.wall for rate in bare], [rate.wall for rate in ours]
    return [
        _row("(a) loop", "a bare PyTorch loop", plain, plain),
        _row("", "our loop", loop, plain, aim=0.95, note=f"by processor time: {by_cpu:.2f}"),
        _row("(d) cache", "an epoch that encodes", uncached, uncached),
        _row("", "an epoch from cached features", loop, uncached, aim=100),
    ]


def _row(part: str, what: str, rates: list[float], beside: list[float], **more: Any) -> dict[str, Any]:
    return {"part": part, "what": what, "images/s": statistics.median(rates), "ratio": _ratio(rates, beside), **more}


def _ratio(rates: list[float], beside: list[float]) -> float:
    """The median over the rounds: what else the machine does weighs on both loops of a round."""
    return statistics.median(mine / other for mine, other in zip(rates, beside, strict=True))


def our_loop(root: DataRoot, dataset: Any, config: TrainConfig, run: str) -> Rate:
    """The rate of ``train``, over all epochs but the first."""
    images = len(dataset.rows("train")) * (config.epochs - 1)
    windows: list[Window] = []
    rates: list[Rate] = []

    def tell(stage: str, *_: int) -> None:
        if stage == "epochs":
            rates.extend(window.rate(images) for window in windows[:1])
            windows.append(Window())

    train(root, dataset, config, run, tell, val_distance(dataset))
    return rates[-1]


def bare_loop(root: DataRoot, dataset: Any, config: TrainConfig) -> Rate:
    """The rate of what anybody would write, over all epochs but the first."""
    features, classes = in_memory(root, image_encoder(ENCODER), dataset)
    captions = text_encoder(config.text_encoder).encode(list(dataset.classes["caption"]))
    clip = Clip(features.shape[1], captions.shape[1], config.clip).train()
    optimizer = AdamW(clip.parameters(), lr=config.lr_heads, weight_decay=config.weight_decay)
    window = Window()
    with one_thread():
        for epoch in range(config.epochs):
            if epoch == 1:
                window = Window()
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
    return window.rate(len(features) * (config.epochs - 1))


def encoded(folder: Path, count: int) -> Rate:
    """Pictures a second that are decoded and encoded, as an epoch without a cache would."""
    root, hashes, _ = make_pictures(folder, count)
    encoder = image_encoder(ENCODER)
    window = Window()
    image_features(root, encoder, hashes)
    return window.rate(count)
