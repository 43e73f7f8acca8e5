"""The training loop, to be read in one sitting.

In: a published dataset version and a configuration. Out: a run's folder, with curves and checkpoints, and the
trained run. Only the train and val parts are read.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch

from geolocate.dataset.captions import recaptioned
from geolocate.dataset.rights import check_rights
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import SettingsError
from geolocate.models.encoders import image_encoder, text_encoder
from geolocate.models.features import image_features
from geolocate.models.posterior import place_posterior
from geolocate.models.threads import one_thread
from geolocate.storage import DataRoot, atomic_write, write_json
from geolocate.training.checkpoints import (
    RunCard,
    TrainedRun,
    check_run,
    finish_run,
    load_run,
    read_epoch,
    save_best,
    save_epoch,
)
from geolocate.training.config import TrainConfig
from geolocate.training.learner import Learner
from geolocate.training.loader import Loader
from geolocate.training.places import Places, cells_of, places_of
from geolocate.training.samples import Samples, samples_of, trained_classes
from geolocate.training.sources import CachedFeatures, LiveCaptions, LivePictures

logger = logging.getLogger(__name__)

#: Told of progress as (stage, done, total); the stages are "features" or "packing", in pictures, and "epochs".
TrainProgress = Callable[[str, int, int], None]
#: Further figures of an epoch, from the val panoramas' posteriors ``[P, C]`` and their rows (lat, lon, class_id, …).
Validate = Callable[[np.ndarray, pd.DataFrame], Mapping[str, float]]


@dataclass(frozen=True)
class _Data:
    """Train and val samples, and the classes that they belong to. Sample numbers count train first, then val."""

    classes: pd.DataFrame
    train: Samples
    val: Samples

    def panoramas(self) -> tuple[list[np.ndarray], pd.DataFrame]:
        """Each val panorama's view numbers within val, and its row."""
        views = self.val.panoramas()
        return views, self.val.rows.iloc[[numbers[0] for numbers in views]].reset_index(drop=True)


@dataclass
class _Course:
    """How the run has gone so far; ``best`` is the best epoch's figure, less is better."""

    best: float | None = None
    best_epoch: int = 0
    curves: list[dict[str, float]] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """The number of epochs done."""
        return len(self.curves)

    @property
    def stale(self) -> int:
        """Epochs since the best one."""
        return self.epoch - self.best_epoch


def train(
    root: DataRoot,
    dataset: DatasetVersion,
    config: TrainConfig,
    run: str,
    progress: TrainProgress | None = None,
    validate: Validate | None = None,
) -> TrainedRun:
    """Train a model on a dataset version, or go on with an interrupted run; a finished one is only opened.

    An interrupted run ends with the same weights as one that was not. Raises CheckpointError when the run's name
    belongs to another dataset, partition or configuration, DatasetError when train or val is empty, RightsError when
    a row may not be trained on.
    """
    check_rights(dataset.rows("train", "val"), "train")
    tell = progress or (lambda stage, done, total: None)
    classes = recaptioned(dataset, trained_classes(dataset), config.captions)
    data = _Data(classes, samples_of(dataset, "train", classes), samples_of(dataset, "val", classes))
    card = RunCard.of(dataset, config)
    if check_run(root, run, card) == "finished":
        logger.info("run %s is finished: nothing to train", run)
        return load_run(root, run)
    # The caller's random numbers stay as they were.
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        learner = _learner(root, data, config, tell)
        # Written once the encoders are there: a mistyped encoder takes no run name.
        write_json(root.run(run) / "config.json", card.to_json())
        with one_thread() if config.freeze_image and config.freeze_text else nullcontext():
            course = _fit(learner, data, root.run(run), config, (tell, validate))
    model = learner.model.config.model_dump(mode="json")
    finish_run(root.run(run), card, classes, {"epochs": course.epoch, "best_epoch": course.best_epoch, "model": model})
    return load_run(root, run)


def _learner(root: DataRoot, data: _Data, config: TrainConfig, tell: TrainProgress) -> Learner:
    images, texts = image_encoder(config.image_encoder, config.pixels), text_encoder(config.text_encoder)
    sha256s, captions = data.train.sha256s + data.val.sha256s, list(data.classes["caption"])
    pictures = (
        CachedFeatures(image_features(root, images, sha256s, lambda done, total: tell("features", done, total)))
        if config.freeze_image
        else LivePictures(images, Loader.of(root, images, sha256s, lambda done, total: tell("packing", done, total)))
    )
    words = CachedFeatures(texts.encode(captions)) if config.freeze_text else LiveCaptions(texts, captions)
    positions = (data.classes["lat"].to_numpy(float), data.classes["lon"].to_numpy(float))
    return Learner(pictures, words, config, positions, cells_of(data.train, config))


def _fit(
    learner: Learner,
    data: _Data,
    folder: Path,
    config: TrainConfig,
    watchers: tuple[TrainProgress, Validate | None],
) -> _Course:
    tell, validate = watchers
    train, val = (places_of(samples, config, learner.ground) for samples in (data.train, data.val))
    course = _resume(learner, folder)
    while course.epoch < config.epochs and course.stale < config.stop_patience:
        started = perf_counter()
        rng = np.random.default_rng([config.seed, course.epoch])
        # Dropout draws from torch: seeded anew each epoch, so that resuming needs no generator's state.
        torch.manual_seed(int(rng.integers(2**62)))
        rates = learner.rates()["lr"]
        train_loss = _train_epoch(learner, train, rng.permutation(len(train)), config.batch_size)
        figures = _validate(learner, (data, val), config, validate)
        learner.schedule.step(figures["val_loss"])
        row = {"epoch": course.epoch + 1, "train_loss": train_loss, **figures, "lr_heads": rates[0]}
        course.curves.append({**row, "seconds": perf_counter() - started})
        _save(learner, data, folder, course, config)
        logger.info("epoch %d: train %.4f, val %.4f, val accuracy %.3f", course.epoch, *_told(row))
        tell("epochs", course.epoch, config.epochs)
    return course


def _told(row: Mapping[str, float]) -> list[float]:
    return [row["train_loss"], row["val_loss"], row["val_accuracy"]]


def _resume(learner: Learner, folder: Path) -> _Course:
    saved = read_epoch(folder)
    if saved is None:
        return _Course()
    tensors, state = saved
    learner.restore(tensors, state["rates"])
    logger.info("going on after epoch %d of %s", len(state["course"]["curves"]), folder.name)
    return _Course(**state["course"])


def _train_epoch(learner: Learner, train: Places, order: np.ndarray, batch_size: int) -> float:
    """Go once through the training places in this order; the mean loss of a place."""
    learner.train()
    total = 0.0
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if isinstance(learner.pictures, LivePictures):
        learner.pictures.expect(train.numbers(chosen) for chosen in batches)
    for chosen in batches:
        loss = learner.step(train.batch(chosen, learner.pictures))
        if not np.isfinite(loss):
            raise SettingsError(f"the loss became {loss}: choose lower learning rates, and another run name")
        total += loss * len(chosen)
    return total / len(order)


@torch.no_grad()
def _validate(
    learner: Learner, held_out: tuple[_Data, Places], config: TrainConfig, validate: Validate | None
) -> dict[str, float]:
    learner.eval()
    data, places = held_out
    features = torch.cat(
        [
            learner.pictures(torch.arange(start, min(start + config.batch_size, len(data.val))) + len(data.train))
            for start in range(0, len(data.val), config.batch_size)
        ]
    )
    order = np.random.default_rng(config.seed).permutation(len(places))
    total = 0.0
    for start in range(0, len(order), config.batch_size):
        chosen = order[start : start + config.batch_size]
        batch = places.batch(chosen, lambda numbers: features[numbers.to(features.device)])
        total += float(learner.loss(batch)) * len(chosen)
    views, panoramas = data.panoramas()
    posterior = place_posterior(
        learner.model,
        [features[torch.from_numpy(numbers)] for numbers in views],
        learner.classes(),
        [places.azimuth[torch.from_numpy(numbers)] for numbers in views],
    )
    right = posterior.argmax(axis=1) == data.val.classes[[numbers[0] for numbers in views]]
    figures = {"val_loss": total / len(order), "val_accuracy": float(right.mean())}
    return figures | dict(validate(posterior, panoramas) if validate else {})


def _save(learner: Learner, data: _Data, folder: Path, course: _Course, config: TrainConfig) -> None:
    """Write what the epoch gave: the best weights before the state that says which epoch was best."""
    score = course.curves[-1].get(config.select_by)
    if score is None:
        raise SettingsError(f"select_by {config.select_by!r}: nobody measures it; pass validate, or choose val_loss")
    if course.best is None or score < course.best:
        course.best, course.best_epoch = score, course.epoch
        with torch.no_grad():
            texts = learner.captions(torch.arange(len(data.classes)))
        save_best(folder, learner.best(), texts)
    with atomic_write(folder / "curves.csv") as file:
        file.write(pd.DataFrame(course.curves).to_csv(index=False).encode())
    state: dict[str, Any] = {
        "rates": learner.rates(),
        "course": {"best": course.best, "best_epoch": course.best_epoch, "curves": course.curves},
    }
    save_epoch(folder, learner.tensors(), state)
