"""The training loop, to be read in one sitting.

In: a published dataset version and a configuration. Out: a run's folder, with curves and checkpoints, and the
trained run. Only the train and val parts are read.
"""

import logging
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from geolocate.dataset.captions import recaptioned
from geolocate.dataset.rights import check_rights
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import CheckpointError, SettingsError
from geolocate.models.encoders import image_encoder, text_encoder
from geolocate.models.features import image_features
from geolocate.models.image_encoders import best_device
from geolocate.models.posterior import place_posterior
from geolocate.models.threads import one_thread
from geolocate.storage import DataRoot, atomic_write, write_json
from geolocate.training import parallel
from geolocate.training.checkpoints import (
    RunCard,
    TrainedRun,
    check_run,
    finish_run,
    load_run,
    read_state,
    save_best,
    save_state,
)
from geolocate.training.config import TrainConfig
from geolocate.training.learner import Learner
from geolocate.training.loader import Loader
from geolocate.training.places import Places, cells_of, places_of
from geolocate.training.samples import Samples, samples_of, trained_classes
from geolocate.training.sources import CachedFeatures, LiveCaptions, LivePictures, Tuning

logger = logging.getLogger(__name__)

#: A run that is killed loses so much work at the most, in seconds. Writing the state of a tuned ResNet-50 takes one.
SAVE_EVERY_S = 120.0
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
    """How the run has gone so far; ``best`` is the best epoch's figure, less is better.

    Of the epoch under way ``step`` steps are done; the places in them add up to a loss of ``loss_sum``, and they took
    ``seconds``.
    """

    best: float | None = None
    best_epoch: int = 0
    curves: list[dict[str, float]] = field(default_factory=list)
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0

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

    A run that was interrupted, by whatever and after any step, ends with the same weights as one that was not. Raises
    CheckpointError when the run's name belongs to another dataset, partition or configuration, DatasetError when train
    or val is empty or there is but one class, RightsError when a row may not be trained on, SettingsError when the
    loss is no number any more.
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
    with parallel.joined(), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        with parallel.first_alone():
            learner = _learner(root, data, config, tell)
        # Written once the encoders are there: a mistyped encoder takes no run name.
        if parallel.is_first():
            write_json(root.run(run) / "config.json", card.to_json())
        with one_thread() if config.freeze_image and config.freeze_text else nullcontext():
            course = _fit(learner, data, root.run(run), config, (tell, validate))
        model = learner.model.config.model_dump(mode="json")
        epochs = {"epochs": course.epoch, "best_epoch": course.best_epoch, "model": model}
        if parallel.is_first():
            finish_run(root.run(run), card, classes, epochs)
    return load_run(root, run)


def _learner(root: DataRoot, data: _Data, config: TrainConfig, tell: TrainProgress) -> Learner:
    tuning = Tuning(config.micro_batch, config.precision, config.compile)
    images, texts = image_encoder(config.image_encoder, config.pixels), text_encoder(config.text_encoder)
    with tuning.autocast(best_device()):
        pass  # A precision that this machine has not is refused before anything is encoded.
    sha256s, captions = data.train.sha256s + data.val.sha256s, list(data.classes["caption"])
    pictures = (
        CachedFeatures(image_features(root, images, sha256s, lambda done, total: tell("features", done, total)))
        if config.freeze_image
        else LivePictures(
            images, Loader.of(root, images, sha256s, lambda done, total: tell("packing", done, total)), tuning
        )
    )
    words = CachedFeatures(texts.encode(captions)) if config.freeze_text else LiveCaptions(texts, captions, tuning)
    positions = (data.classes["lat"].to_numpy(float), data.classes["lon"].to_numpy(float))
    steps = config.epochs * math.ceil(len(data.train.places(config.views)) / config.batch_size)
    learner = Learner(pictures, words, config, positions, cells_of(data.train, config), steps)
    if isinstance(pictures, CachedFeatures):
        learner.clip.standardise_by(pictures.table[: len(data.train)])
    return learner


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
        _train_epoch(learner, (data, train), folder, course, config)
        rates = learner.schedule.state()["lr"]
        with learner.averaged():
            figures = parallel.agreed(_validate(learner, (data, val), config, validate))
            learner.schedule.after_epoch(figures["val_loss"])
            row = {"epoch": course.epoch + 1, "train_loss": course.loss_sum / len(train), **figures}
            course.curves.append({**row, "lr_heads": rates[0], "seconds": course.seconds})
            course.step, course.loss_sum, course.seconds = 0, 0.0, 0.0
            _keep_best(learner, data, folder, course, config)
        _save(learner, folder, course)
        logger.info("epoch %d: train %.4f, val %.4f, val accuracy %.3f", course.epoch, *_told(row))
        tell("epochs", course.epoch, config.epochs)
    return course


def _told(row: Mapping[str, float]) -> list[float]:
    return [row["train_loss"], row["val_loss"], row["val_accuracy"]]


def _resume(learner: Learner, folder: Path) -> _Course:
    saved = read_state(folder)
    if saved is None:
        return _Course()
    tensors, state = saved
    try:
        learner.restore(tensors, state["schedule"])
        course = _Course(**state["course"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder / 'last.safetensors'} is of another version of this program: delete {folder} and train again"
        ) from error
    logger.info("going on after epoch %d and %d steps of %s", course.epoch, course.step, folder.name)
    return course


def _train_epoch(
    learner: Learner, training: tuple[_Data, Places], folder: Path, course: _Course, config: TrainConfig
) -> None:
    """Go through the training places once, in an order of this epoch's own, from where the course stands."""
    data, places = training
    rng = np.random.default_rng([config.seed, course.epoch])
    seed, order = int(rng.integers(2**62)), rng.permutation(len(places))
    places = places.drawn(rng)
    if not course.step:
        # Dropout draws from torch.
        torch.manual_seed(seed)
    learner.train()
    batches = [order[start : start + config.batch_size] for start in range(0, len(order), config.batch_size)]
    if isinstance(learner.pictures, LivePictures):
        learner.pictures.expect(places.numbers(chosen) for chosen in batches[course.step :])
    saved = started = perf_counter()
    for chosen in batches[course.step :]:
        loss = learner.step(places.batch(chosen, learner.pictures))
        if not math.isfinite(loss):
            raise _diverged(f"the loss became {loss}", course, data.train.rows.iloc[places.numbers(chosen)])
        course.step += 1
        course.loss_sum += loss * len(chosen)
        now = perf_counter()
        course.seconds, started = course.seconds + now - started, now
        if now - saved >= SAVE_EVERY_S and course.step < len(batches):
            _save(learner, folder, course)
            saved = perf_counter()


def _diverged(what: str, course: _Course, rows: pd.DataFrame) -> SettingsError:
    panoramas = list(dict.fromkeys(rows["panorama_id"]))
    return SettingsError(
        f"{what} in epoch {course.epoch + 1}, step {course.step + 1}, at the batch of {len(panoramas)} panorama(s) "
        f"that begins with {', '.join(panoramas[:3])}: what was good is kept; choose lower learning rates or a "
        "clip_norm, and another run name"
    )


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
    rng = np.random.default_rng(config.seed)
    places, order = places.drawn(rng), rng.permutation(len(places))
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


def _keep_best(learner: Learner, data: _Data, folder: Path, course: _Course, config: TrainConfig) -> None:
    """Write the weights of an epoch that is the best so far, before the state that says so."""
    score = course.curves[-1].get(config.select_by)
    if score is None:
        raise SettingsError(f"select_by {config.select_by!r}: nobody measures it; pass validate, or choose val_loss")
    if not math.isfinite(course.curves[-1]["val_loss"]):
        raise SettingsError(
            f"the loss on val ground became {course.curves[-1]['val_loss']} in epoch {course.epoch}: what was good is "
            "kept; choose lower learning rates or a clip_norm, and another run name"
        )
    if course.best is None or score < course.best:
        course.best, course.best_epoch = score, course.epoch
        with torch.no_grad():
            texts = learner.captions(torch.arange(len(data.classes)))
        if parallel.is_first():
            save_best(folder, learner.best(), texts)
    if not parallel.is_first():
        return
    with atomic_write(folder / "curves.csv") as file:
        file.write(pd.DataFrame(course.curves).to_csv(index=False).encode())


def _save(learner: Learner, folder: Path, course: _Course) -> None:
    """Write from where to go on; weights that are no numbers any more leave the last good state where it is."""
    if parallel.is_first() and learner.is_finite():
        save_state(folder, learner.tensors(), {"schedule": learner.schedule.state(), "course": asdict(course)})
