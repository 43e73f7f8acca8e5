"""Fit a baseline to a dataset version and score it like a run.

In: a dataset version and the name of a baseline. Out: metrics and predictions under
``runs/<baseline>-<dataset>-s<seed>/``, to be compared with runs. The test rows are read once, after everything is
chosen.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from geolocate.dataset.rights import check_rights
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import DatasetError, SettingsError
from geolocate.evaluation.answers import Answers, answers_from_posterior
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.baselines import BASELINES, Fitted, Seen, Task
from geolocate.evaluation.decoding import DEFAULT_DECODER
from geolocate.evaluation.held_out import HeldOut, read_held_out
from geolocate.evaluation.open_models import run_name
from geolocate.evaluation.scoring import ARGMAX, MODEL, Source, record
from geolocate.models.batch import Views, padded_views
from geolocate.models.features import image_features
from geolocate.models.image_encoders import ImageEncoder, image_encoder
from geolocate.storage import DataRoot
from geolocate.training.samples import samples_of, trained_classes

Progress = Callable[[int, int], None]

KIND = "baseline"


@dataclass(frozen=True, slots=True)
class BaselineConfig:
    """Which frozen encoder's features are taken, and the seed of what is random."""

    image_encoder: str = "efficientnet-lite0-stages"
    pixels: int | None = None
    seed: int = 0


def evaluate_baseline(
    root: DataRoot,
    dataset: DatasetVersion,
    name: str,
    config: BaselineConfig | None = None,
    *,
    bootstrap: Bootstrap | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit the baseline, tune it on val ground, score it on both test sets, and return the metrics.

    ``progress(done, total)`` counts the pictures that had to be encoded. Raises SettingsError for an unknown name,
    DatasetError for fewer than two classes or an empty part, RightsError when a row may not be used so.
    """
    if name not in BASELINES:
        raise SettingsError(f"unknown baseline {name!r}: choose one of {', '.join(BASELINES)}")
    config = config or BaselineConfig()
    check_rights(dataset.rows("train", "val"), "train")
    classes, encoder = trained_classes(dataset), image_encoder(config.image_encoder, config.pixels)
    if len(classes) < 2:
        raise DatasetError(f"dataset {dataset.ref} has {len(classes)} trained class: two are needed to tell apart")
    train, val = (_seen(root, dataset, part, (encoder, classes), progress) for part in ("train", "val"))
    at = classes["lat"].to_numpy(float), classes["lon"].to_numpy(float)
    fitted = BASELINES[name](Task(train, val, *at, config.seed))
    run = f"{run_name(name, dataset)}-s{config.seed}"
    held = read_held_out(root, dataset, classes, run)
    source = Source(
        name=run,
        kind=KIND,
        system=name,
        decoder=DEFAULT_DECODER,
        seed=config.seed,
        config={"baseline": name, **asdict(config)},
        facts={"baseline": {"chosen_on_val": fitted.chosen, "features": encoder.cache_key}},
    )
    return record(root, held, _answers(held, fitted, _test_views(root, held, encoder, progress)), source, bootstrap)


def _seen(
    root: DataRoot,
    dataset: DatasetVersion,
    part: str,
    asked: tuple[ImageEncoder, pd.DataFrame],
    progress: Progress | None,
) -> Seen:
    encoder, classes = asked
    samples = samples_of(dataset, part, classes)
    groups = samples.panoramas()
    views = _views(image_features(root, encoder, samples.sha256s, progress), samples.column("heading"), groups)
    first = [group[0] for group in groups]
    rows = samples.rows.iloc[first]
    return Seen(views, samples.classes[first], rows["lat"].to_numpy(float), rows["lon"].to_numpy(float))


def _test_views(root: DataRoot, held: HeldOut, encoder: ImageEncoder, progress: Progress | None) -> Views:
    pictures, groups = held.pictures()
    return _views(image_features(root, encoder, pictures, progress), torch.from_numpy(held.azimuths()), groups)


def _views(features: torch.Tensor, heading: torch.Tensor, groups: list[np.ndarray]) -> Views:
    numbers = [torch.from_numpy(group) for group in groups]
    return padded_views([features[number] for number in numbers], [heading[number].float() for number in numbers])


def _answers(held: HeldOut, fitted: Fitted, views: Views) -> dict[str, Answers]:
    posterior = fitted.posterior(views)
    at = held.places.class_lat, held.places.class_lon
    decoded = {
        name: answers_from_posterior(name, held.panorama_ids, posterior, *at, decoder=decoder)
        for name, decoder in ((MODEL, DEFAULT_DECODER), (ARGMAX, "argmax"))
    }
    own = fitted.positions(views)
    if own is not None:
        model = decoded[MODEL]
        decoded[MODEL] = Answers(MODEL, model.panorama_ids, *own, model.class_index, model.top5, model.posterior)
    return decoded
