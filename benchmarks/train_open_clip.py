"""(c) our loop and loader training open_clip's own RN50, beside open_clip's own trainer: same batch, float32.

Both train both of its towers from random weights on the same pictures with the same 50 captions. Ours adds the two
projection heads of the study, and encodes a caption that a batch holds twice once. Theirs reads a CSV file with two
workers. The windows include waiting for the first batch; packing is done before, as in every epoch but the first.
"""

import csv
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip_train.data import get_csv_dataset
from open_clip_train.params import parse_args
from open_clip_train.train import train_one_epoch
from torch import nn
from torch.optim import AdamW

from benchmarks.train_inputs import CLASSES, make_pictures
from geolocate.models.batch import PlaceBatch, grouped_views
from geolocate.models.image_encoders import ImageEncoder
from geolocate.models.text_encoders import TextEncoder
from geolocate.storage import DataRoot
from geolocate.training.config import TrainConfig
from geolocate.training.learner import Learner
from geolocate.training.loader import Loader
from geolocate.training.sources import LiveCaptions, LivePictures

MODEL, BATCH, WORKERS, RATE = "RN50", 8, 2, 1e-4
CAPTIONS = [f"City: town number {number}" for number in range(CLASSES)]


def trainers(
    folder: Path, steps: int, rounds: int = 2, batch: int = BATCH, model: str = MODEL, workers: int = WORKERS
) -> list[dict[str, Any]]:
    """Images a second of both trainers, in turns, each over so many steps.

    ``workers`` are open_clip's processes, 0 for none: they need shared memory, which not every container has.
    """
    root, hashes, _ = make_pictures(folder, steps * batch)
    paths = [root.image(sha256) for sha256 in hashes]
    theirs = _Theirs(model, paths, folder / "pictures.csv", batch, workers)
    ours = _Ours(model, root, hashes, batch)
    rates: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(rounds):
        for name, trainer in (("theirs", theirs), ("ours", ours)):
            started = time.perf_counter()
            trainer.epoch()
            rates[name].append(steps * batch / (time.perf_counter() - started))
    ratio = statistics.median(mine / other for mine, other in zip(rates["ours"], rates["theirs"], strict=True))
    their_rate, our_rate = (statistics.median(rates[name]) for name in ("theirs", "ours"))
    return [
        {"part": "(c) trainer", "what": f"open_clip's trainer, {model}", "images/s": their_rate, "ratio": 1.0},
        {"part": "", "what": f"our loop and loader, {model}", "images/s": our_rate, "ratio": ratio, "aim": 1.0},
    ]


def _model(name: str) -> tuple[Any, Any]:
    """A model with random weights, and the transform that its trainer uses."""
    torch.manual_seed(0)
    return open_clip.create_model_and_transforms(name, precision="fp32", device="cpu")[:2]


class _Theirs:
    """open_clip's trainer on a CSV file, as its README has it."""

    def __init__(self, model: str, paths: list[Path], table: Path, batch: int, workers: int) -> None:
        with table.open("w", newline="") as file:
            rows = csv.writer(file, delimiter="\t")
            rows.writerow(["filepath", "title"])
            rows.writerows((path, CAPTIONS[number % CLASSES]) for number, path in enumerate(paths))
        options = f"--model {model} --precision fp32 --device cpu --dataset-type csv"
        options += f" --workers {workers} --batch-size {batch}"
        self.args = parse_args([*options.split(), "--train-data", str(table), "--skip-scheduler"])
        self.args.distill = self.args.distributed = self.args.horovod = self.args.wandb = False
        self.args.rank, self.args.local_rank, self.args.world_size = 0, 0, 1
        self.model, transform = _model(model)
        self.data = {"train": get_csv_dataset(self.args, transform, True, tokenizer=open_clip.get_tokenizer(model))}
        self.loss = open_clip.ClipLoss()
        self.optimizer = AdamW(self.model.parameters(), lr=RATE)
        self.model.output_dict = True

    def epoch(self) -> None:
        train_one_epoch(self.model, self.data, self.loss, 0, self.optimizer, None, None, None, self.args)


class _TextTower(nn.Module):
    """open_clip's text side, called as an encoder of ours."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        del model.visual
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_text(input_ids)
        return features


@dataclass(frozen=True)
class _Tokenizer:
    """open_clip's tokenizer, called as those of transformers are."""

    tokenize: Any

    def __call__(self, texts: list[str], **_: Any) -> dict[str, torch.Tensor]:
        tokens = self.tokenize(texts)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}


class _Ours:
    """Our learner on our loader."""

    def __init__(self, name: str, root: DataRoot, hashes: list[str], batch: int) -> None:
        model, _ = _model(name)
        visual = model.visual.to(memory_format=torch.channels_last)
        images = ImageEncoder(name, visual.output_dim, 224, visual.image_mean, visual.image_std, visual)
        texts = TextEncoder(name, images.dim, _TextTower(model), _Tokenizer(open_clip.get_tokenizer(name)))
        loader = Loader.of(root, images, hashes)
        config = TrainConfig(freeze_image=False, freeze_text=False, batch_size=batch, lr_image=RATE, lr_text=RATE)
        self.learner = Learner(
            LivePictures(images, loader), LiveCaptions(texts, CAPTIONS), config, (np.zeros(CLASSES), np.zeros(CLASSES))
        )
        self.order = np.arange(len(loader))
        self.batch = batch

    def epoch(self) -> None:
        self.learner.train()
        batches = list(torch.from_numpy(np.random.default_rng(0).permutation(self.order)).split(self.batch))
        self.learner.pictures.expect(batch.tolist() for batch in batches)  # type: ignore[union-attr]
        for numbers in batches:
            zeros = torch.zeros(len(numbers), dtype=torch.float64)
            views = grouped_views(self.learner.pictures(numbers), zeros, [1] * len(numbers))
            cells = torch.zeros(len(numbers), 0, dtype=torch.int64)
            self.learner.step(PlaceBatch(views, zeros, zeros, numbers % CLASSES, cells))
