"""Ask an open model about a dataset's test panoramas, clipped to the dataset's region, and score it like our own.

In: a loaded open model and a dataset version. Out: metrics and predictions under ``runs/<model>-<dataset>/``. Its
probabilities are made as sure as they are right by one temperature, found on the calibration blocks; the test rows are
read once.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from geolocate.dataset.captions import dataset_facts
from geolocate.dataset.rights import check_rights
from geolocate.dataset.versions import DatasetVersion
from geolocate.evaluation.answers import Answers, answers_from_posterior
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.calibration import Calibration, fit_temperature, log_loss
from geolocate.evaluation.decoding import DEFAULT_DECODER
from geolocate.evaluation.held_out import HeldOut, read_held_out, region_of
from geolocate.evaluation.scoring import ARGMAX, MODEL, Source, record
from geolocate.models.features import image_features
from geolocate.models.open_models import Clipped, OpenModel, clip_to_region, fused
from geolocate.storage import DataRoot
from geolocate.training.samples import trained_classes

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

KIND = "open model"


def run_name(model: str, dataset: DatasetVersion) -> str:
    """Name the folder under runs/ of an open model's or a baseline's answers about a dataset version."""
    return f"{model}-{dataset.ref.name[:60]}-{dataset.ref.version[:8]}"


def evaluate_open_model(
    root: DataRoot,
    dataset: DatasetVersion,
    model: OpenModel,
    *,
    bootstrap: Bootstrap | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Clip the model to the dataset's region, calibrate it, score it, and return the metrics.

    ``progress(done, total)`` counts the pictures that had to be encoded. Raises DatasetError when the test part is
    empty, RightsError when a row may not be evaluated on, EncoderError when the model has nothing to answer with here.
    """
    name = run_name(model.name, dataset)
    region, classes = region_of(dataset, name), trained_classes(dataset)
    clipped = clip_to_region(model, region, dataset_facts(dataset, region, classes))
    calibration = _calibrate(root, dataset, (model, clipped), classes, progress)
    held = read_held_out(root, dataset, classes, name)
    pictures, groups = held.pictures()
    images = fused(image_features(root, model.encoder, pictures, progress), groups)
    systems = _answers(held, clipped, images, calibration.temperature)
    return record(root, held, systems, _source(name, model, clipped, calibration), bootstrap)


def _calibrate(
    root: DataRoot,
    dataset: DatasetVersion,
    asked: tuple[OpenModel, Clipped],
    classes: pd.DataFrame,
    progress: Progress | None,
) -> Calibration:
    model, clipped = asked
    rows = dataset.rows("calibration")
    rows = rows[rows["class_id"].isin(classes["class_id"])].sort_values(["panorama_id", "heading"], ignore_index=True)
    if rows.empty:
        logger.warning("dataset %s has no calibration rows: %s is not calibrated", dataset.ref, model.name)
        return Calibration(1.0, 0)
    check_rights(rows, "evaluate")
    views = rows.groupby("panorama_id", sort=True)
    groups = [group.index.to_numpy(copy=True) for _, group in views]
    features = image_features(root, model.encoder, [str(sha256) for sha256 in rows["sha256"]], progress)
    images = fused(features, groups)
    truth = pd.Index(classes["class_id"]).get_indexer(pd.Index(views["class_id"].first()))

    def posterior(temperature: float) -> Array:
        return clipped.posterior(images, temperature)

    found = fit_temperature(posterior, truth)
    return Calibration(found, len(truth), log_loss(posterior(1.0), truth), log_loss(posterior(found), truth))


def _answers(held: HeldOut, clipped: Clipped, images: torch.Tensor, temperature: float) -> dict[str, Answers]:
    posterior = clipped.posterior(images, temperature)
    at = held.places.class_lat, held.places.class_lon
    decoded = {
        name: answers_from_posterior(name, held.panorama_ids, posterior, *at, decoder=decoder)
        for name, decoder in ((MODEL, DEFAULT_DECODER), (ARGMAX, "argmax"))
    }
    own = clipped.positions(images, temperature)
    if own is None:
        return decoded
    model = decoded[MODEL]
    pointed = Answers(MODEL, model.panorama_ids, *own, model.class_index, model.top5, model.posterior)
    return {**decoded, MODEL: pointed}


def _source(name: str, model: OpenModel, clipped: Clipped, calibration: Calibration) -> Source:
    entry = model.entry
    return Source(
        name=name,
        kind=KIND,
        system=model.name,
        decoder="gallery" if model.gallery is not None else DEFAULT_DECODER,
        config={"model": model.name, "weights": model.encoder.cache_key},
        facts={
            "open_model": {
                "title": entry.title,
                "repository": entry.repository,
                "licence": entry.licence,
                "pixels": model.encoder.pixels,
                "steps": entry.steps,
                "candidates": clipped.candidates,
                "temperature": calibration.temperature,
                "calibration_panoramas": calibration.panoramas,
                "calibration_nll": [calibration.nll_before, calibration.nll_after],
            }
        },
    )
