"""Evaluate a finished run on both test sets of its dataset.

In: a run's name. Out: what ``scoring`` records. How the run answers is fitted first, on val and calibration ground,
unless it was before. The test rows are read once: evaluating again scores the predictions that are stored, unless the
run answers otherwise by now.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from geolocate.dataset.versions import DatasetVersion, open_dataset
from geolocate.errors import CheckpointError
from geolocate.evaluation.answer_quality import answer_quality
from geolocate.evaluation.answering import ANSWERING, is_fitted, read_answering
from geolocate.evaluation.answers import Answers, answers_from_posterior, top_classes
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.fit_answering import fit_answering
from geolocate.evaluation.held_out import HeldOut, read_held_out, region_of, restored
from geolocate.evaluation.scoring import ARGMAX, MODEL, Source, record
from geolocate.models.features import image_features
from geolocate.storage import DataRoot, read_json, sha256_of_file
from geolocate.training.checkpoints import TrainedRun, load_run

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
#: The questions, what was answered by each system, and how what the run promised held.
Evaluated = tuple[HeldOut, dict[str, Answers], dict[str, Any]]


def evaluate(
    root: DataRoot, run: str, *, bootstrap: Bootstrap | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Evaluate a run on its dataset's test sets, write metrics.json and the predictions, return the metrics.

    ``progress(done, total)`` counts the pictures that had to be encoded. Raises CheckpointError when the run was
    trained on another dataset version or ground partition than there is, DatasetError when the test part is empty,
    RightsError when a row may not be evaluated on.
    """
    trained = load_run(root, run)
    dataset = open_dataset(root, f"{trained.dataset.name}@{trained.dataset.version}")
    _check_same(trained, dataset)
    if not is_fitted(trained):
        fit_answering(root, run, progress=progress)
    names = {"checkpoint_sha256": "checkpoint.safetensors", "answering_sha256": ANSWERING}
    facts = {name: sha256_of_file(trained.path / file) for name, file in names.items()}
    held, systems, quality = _stored(trained, dataset, facts) or _asked(root, trained, dataset, progress)
    source = Source(
        name=run,
        kind="run",
        system=run,
        decoder=read_json(trained.path / ANSWERING)["decoder"],
        seed=trained.config.seed,
        config=trained.config.model_dump(mode="json"),
        facts={**facts, "answering": quality},
    )
    metrics = record(root, held, systems, source, bootstrap)
    mean, panoramas = metrics["metrics"]["mean_km"]["model"]["value"], metrics["counts"]["test_panoramas"]
    logger.info("run %s: mean %.1f km over %d panoramas", run, mean, panoramas)
    return metrics


def _asked(root: DataRoot, run: TrainedRun, dataset: DatasetVersion, progress: Progress | None) -> Evaluated:
    """Read the test rows, and ask the run about them."""
    encoder = run.image_encoder()
    answering = read_answering(root, run, encoder.cache_key)
    if answering is None:
        raise CheckpointError(f"run {run.run!r} has no {ANSWERING} any more: evaluate it again")
    held = read_held_out(root, dataset, run.classes, run.run)
    pictures, groups = held.pictures()
    features = image_features(root, encoder, pictures, progress)
    azimuth = torch.from_numpy(held.azimuths())
    belief = answering.ask([features[group.tolist()] for group in groups], [azimuth[group] for group in groups])
    # As it is stored, so that evaluating again gives the same to the last digit.
    posterior = belief.posterior.astype(np.float32).astype(float)
    best = top_classes(posterior)
    model = Answers(MODEL, held.panorama_ids, belief.lat, belief.lon, best[:, 0], best, posterior, belief.in_region)
    at = held.places.class_lat, held.places.class_lon
    argmax = answers_from_posterior(ARGMAX, held.panorama_ids, posterior, *at, decoder="argmax")
    blocked = pd.Index(held.panorama_ids).get_indexer(pd.Index(held.blocked.panorama_ids))
    quality = answer_quality(answering, belief.about(blocked), held.blocked.question.truth)
    return held, {MODEL: model, ARGMAX: argmax}, quality


def _stored(run: TrainedRun, dataset: DatasetVersion, facts: dict[str, Any]) -> Evaluated | None:
    """Return what the run answered when it was evaluated before; None where it would answer otherwise by now."""
    path = run.path / "metrics.json"
    if not path.exists() or not (run.path / "predictions.parquet").exists():
        return None
    before = read_json(path)
    if any(before.get(name) != value for name, value in facts.items()):
        return None
    held = restored(dataset, run.classes, run.run, run.path)
    return held, stored_answers(run.path, run.classes), before["answering"]


def stored_answers(folder: Path, classes: pd.DataFrame) -> dict[str, Answers]:
    """Read back the answers about both test sets, as they were recorded, of ``model`` and ``model_argmax``."""
    paths = [folder / f"{name}.parquet" for name in ("predictions", "sample_predictions")]
    table = pd.concat([pd.read_parquet(path) for path in paths if path.exists()]).drop_duplicates("panorama_id")
    ids, index = table["panorama_id"].to_numpy(str), pd.Index(classes["class_id"])
    named = index.get_indexer(pd.Index(table["predicted_class_id"]))
    top5 = index.get_indexer(pd.Index(np.concatenate(table["top5_class_ids"].tolist()))).reshape(len(table), -1)
    posterior = np.stack(table["posterior"].tolist()).astype(float) if "posterior" in table else None
    positions = {MODEL: ("predicted_lat", "predicted_lon"), ARGMAX: ("argmax_lat", "argmax_lon")}
    score = table["in_region"].to_numpy(float) if "in_region" in table else None
    return {
        name: Answers(name, ids, table[lat].to_numpy(float), table[lon].to_numpy(float), named, top5, posterior, score)
        for name, (lat, lon) in positions.items()
        if lat in table
    }


def _check_same(run: TrainedRun, dataset: DatasetVersion) -> None:
    """Refuse to test on ground that this run may have been trained on."""
    if dataset.ref.sha256 != run.dataset.sha256:
        raise CheckpointError(
            f"run {run.run!r} was trained on {run.dataset} with the hash {run.dataset.sha256[:12]}, "
            f"the dataset there is {dataset.ref.sha256[:12]}: train again on it"
        )
    if dataset.partition_version != run.partition_version:
        raise CheckpointError(
            f"run {run.run!r} was trained under ground partition {run.partition_version!r}, not "
            f"{dataset.partition_version!r}: its test ground may have been trained on; train again under the new "
            "partition"
        )
    region_of(dataset, run.run)
