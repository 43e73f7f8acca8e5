"""Evaluate a finished run on both test sets of its dataset: the only place where test rows are read.

In: a run's name. Out: ``runs/<run>/metrics.json``, every number beside chance and with its interval, and one row a
panorama in ``predictions.parquet`` (the blocked test) and ``sample_predictions.parquet`` (the probability sample).

The blocked test asks what the model knows of ground that it was never near. The probability sample asks what a user
would meet: positions at random, each weighted by the ground that it stands for, some of them beside training ground.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolocate.dataset.rights import check_rights
from geolocate.dataset.splits import LEFT_OUT, PARTS
from geolocate.dataset.versions import DatasetVersion, open_dataset
from geolocate.errors import CheckpointError
from geolocate.evaluation.answers import top_classes
from geolocate.evaluation.assess import Bootstrap, Question, assess, decode
from geolocate.evaluation.chance import TrainingPlaces, best_constant_position, most_frequent
from geolocate.evaluation.decoding import DEFAULT_DECODER, entropy
from geolocate.evaluation.metrics import Truth
from geolocate.geography.distances import haversine_km, nearest_km
from geolocate.geography.partition import partition_version
from geolocate.geography.regions import load_region
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.models.features import image_features
from geolocate.storage import DataRoot, atomic_write, write_json
from geolocate.training.checkpoints import TrainedRun, load_run

logger = logging.getLogger(__name__)

METRICS_VERSION = "1.1"

# The rights travel with the pictures' hashes, so that a report knows which it may show.
_KEPT = [
    *("panorama_id", "source_id", "class_id", "class_name", "block_id", "lat", "lon", "captured", "sample_weight"),
    *("sha256s", "license", "attribution", "rights_basis", "retain_until"),
]

Progress = Callable[[int, int], None]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A set of test panoramas (P rows) that a run was asked about, and the posterior (P, C) that it gave them."""

    question: Question
    panoramas: pd.DataFrame
    posterior: Array


@dataclass(frozen=True)
class Evaluation:
    """What is known after a run was asked: about the blocked test, and about the probability sample if there is one."""

    run: TrainedRun
    dataset: DatasetVersion
    blocked: Asked
    sample: Asked | None


def evaluate(
    root: DataRoot, run: str, *, bootstrap: Bootstrap | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Evaluate a run on its dataset's test sets, write metrics.json and the predictions, return the metrics.

    ``metrics, paired, intervals`` are of the blocked test; the same under ``sample`` is of the probability sample,
    which is None where no row belongs to it. ``progress(done, total)`` counts the pictures that had to be encoded.
    Raises CheckpointError when the run was trained on another dataset version or ground partition than there is,
    DatasetError when the test part is empty, RightsError when a row may not be evaluated on.
    """
    evaluation = _ask(root, load_run(root, run), progress)
    metrics = {
        **_facts(evaluation),
        **assess(evaluation.blocked.question, [evaluation.blocked.posterior], bootstrap),
        "sample": _sample_metrics(evaluation.dataset, evaluation.sample, bootstrap) if evaluation.sample else None,
    }
    for name, asked in (("predictions", evaluation.blocked), ("sample_predictions", evaluation.sample)):
        if asked is not None:
            with atomic_write(evaluation.run.path / f"{name}.parquet") as file:
                _predictions(evaluation.run, asked).to_parquet(file, index=False)
    # Written last: its presence means that the run is evaluated.
    write_json(evaluation.run.path / "metrics.json", metrics)
    logger.info("run %s: mean %.1f km over %d panoramas", run, *_told(metrics))
    return metrics


def _told(metrics: dict[str, Any]) -> tuple[float, int]:
    return metrics["metrics"]["mean_km"]["model"]["value"], metrics["counts"]["test_panoramas"]


def _ask(root: DataRoot, run: TrainedRun, progress: Progress | None) -> Evaluation:
    dataset = open_dataset(root, f"{run.dataset.name}@{run.dataset.version}")
    region = load_region(run.region)
    _check_same(run, dataset, partition_version(region))
    rows = pd.concat([dataset.rows("test"), dataset.sample_rows()]).drop_duplicates("image_id")
    rows = rows.sort_values(["panorama_id", "heading"], ignore_index=True)
    check_rights(rows, "evaluate")
    panoramas = one_a_panorama(rows).sort_values("panorama_id", ignore_index=True)
    views = rows.groupby("panorama_id", sort=True)
    panoramas["sha256s"] = [list(hashes) for _, hashes in views["sha256"]]
    panoramas["attribution"] = ["; ".join(dict.fromkeys(owed)) for _, owed in views["attribution"]]
    places = training_places(dataset, run.classes)

    def question(of: pd.DataFrame, *, weighted: bool) -> Question:
        return Question(truth_of(of, run.classes, weighted=weighted), places, region.name, region.diagonal_km)

    blocked, sample = (panoramas["part"] == "test").to_numpy(), panoramas["sample"].to_numpy(bool)
    questions = [(question(panoramas[blocked], weighted=False), blocked)]
    if sample.any():
        questions.append((question(panoramas[sample], weighted=True), sample))
    features = image_features(root, run.image_encoder(), [str(sha256) for sha256 in rows["sha256"]], progress)
    posterior = run.posterior([features[group.index.tolist()] for _, group in views])
    asked = [Asked(one, panoramas[of].reset_index(drop=True), posterior[of]) for one, of in questions]
    return Evaluation(run, dataset, asked[0], asked[1] if sample.any() else None)


def _check_same(run: TrainedRun, dataset: DatasetVersion, current: str) -> None:
    """Refuse to test on ground that this run may have been trained on."""
    if dataset.ref.sha256 != run.dataset.sha256:
        raise CheckpointError(
            f"run {run.run!r} was trained on {run.dataset} with the hash {run.dataset.sha256[:12]}, "
            f"the dataset there is {dataset.ref.sha256[:12]}: train again on it"
        )
    for found in (dataset.partition_version, current):
        if found != run.partition_version:
            raise CheckpointError(
                f"run {run.run!r} was trained under ground partition {run.partition_version!r}, not {found!r}: "
                "its test ground may have been trained on; train again under the new partition"
            )


def truth_of(panoramas: pd.DataFrame, classes: pd.DataFrame, *, weighted: bool = False) -> Truth:
    """Return where the panoramas are, their classes among the trained ones, and how much ground each stands for."""
    return Truth(
        panoramas["lat"].to_numpy(float),
        panoramas["lon"].to_numpy(float),
        pd.Index(classes["class_id"]).get_indexer(pd.Index(panoramas["class_id"])),
        panoramas["block_id"].to_numpy(str),
        panoramas["sample_weight"].to_numpy(float) if weighted else None,
    )


def training_places(dataset: DatasetVersion, classes: pd.DataFrame) -> TrainingPlaces:
    """Return the training panoramas and the classes' positions: all that chance may know."""
    panoramas = one_a_panorama(dataset.rows("train")).sort_values("panorama_id")
    number = pd.Index(classes["class_id"]).get_indexer(pd.Index(panoramas["class_id"]))
    panoramas, number = panoramas[number >= 0], number[number >= 0]
    return TrainingPlaces(
        panoramas["lat"].to_numpy(float),
        panoramas["lon"].to_numpy(float),
        number,
        np.ones(len(panoramas)),
        classes["lat"].to_numpy(float),
        classes["lon"].to_numpy(float),
    )


def _facts(evaluation: Evaluation) -> dict[str, Any]:
    run, dataset, question = evaluation.run, evaluation.dataset, evaluation.blocked.question
    places = question.places
    lat, lon = best_constant_position(places)
    return {
        "metrics_version": METRICS_VERSION,
        "run": run.run,
        "dataset": asdict(run.dataset),
        "world": run.world.value,
        "world_version": dataset.card.get("world_version"),
        "region": question.region,
        "diagonal_km": question.diagonal_km,
        "level": run.level,
        "partition_version": run.partition_version,
        "seed": run.config.seed,
        "config": run.config.model_dump(mode="json"),
        "decoder": DEFAULT_DECODER,
        "counts": _counts(evaluation),
        "classes_without_test": _without_test(evaluation),
        "chance": {
            "prior_class": str(run.classes["class_name"].iloc[most_frequent(places)[0]]),
            "best_constant": {"lat": lat, "lon": lon},
        },
        "licenses": {str(key): int(count) for key, count in dataset.rows("test")["license"].value_counts().items()},
    }


def _counts(evaluation: Evaluation) -> dict[str, int]:
    dataset, counts = evaluation.dataset, {"classes": len(evaluation.run.classes)}
    for part in PARTS:
        rows = dataset.rows(part)
        counts[f"{part}_panoramas"] = int(rows["panorama_id"].nunique())
        counts[f"{part}_images"] = len(rows)
    left_out = dataset.frame[dataset.frame["part"].isin(list(LEFT_OUT))]
    for reason, rows in left_out.groupby("part"):
        counts[f"{reason}_panoramas"] = int(rows["panorama_id"].nunique())
    return {**counts, "test_blocks": int(evaluation.blocked.panoramas["block_id"].nunique())}


def _sample_metrics(dataset: DatasetVersion, sample: Asked, bootstrap: Bootstrap | None) -> dict[str, Any]:
    """Say what the probability sample is a sample of, how much of it there is, and what it shows."""
    return {
        "frame": f"the plan of {', '.join(dataset.card['collections'])}",
        "counts": {
            "panoramas": len(sample.panoramas),
            "images": len(dataset.sample_rows()),
            "blocks": int(sample.panoramas["block_id"].nunique()),
            "also_blocked_test": int((sample.panoramas["part"] == "test").sum()),
            "of_untrained_classes": int((sample.question.truth.class_index < 0).sum()),
        },
        "effective_panoramas": round(sample.question.truth.effective, 1),
        **assess(sample.question, [sample.posterior], bootstrap),
    }


def _without_test(evaluation: Evaluation) -> list[str]:
    classes, tested = evaluation.run.classes, evaluation.blocked.panoramas["class_id"]
    return [str(name) for name in classes.loc[~classes["class_id"].isin(tested), "class_name"]]


def _predictions(run: TrainedRun, asked: Asked) -> pd.DataFrame:
    """One row a test panorama: truth, prediction, top five, kilometres, doubt, distance to training ground."""
    posterior, question, classes = asked.posterior, asked.question, run.classes
    truth, best = question.truth, top_classes(posterior)
    lat, lon = decode(question, posterior, DEFAULT_DECODER)
    argmax_lat, argmax_lon = decode(question, posterior, "argmax")
    ids, names = classes["class_id"].to_numpy(str), classes["class_name"].to_numpy(str)
    return asked.panoramas[_KEPT].assign(
        predicted_class_id=ids[best[:, 0]],
        predicted_class_name=names[best[:, 0]],
        predicted_lat=lat,
        predicted_lon=lon,
        argmax_lat=argmax_lat,
        argmax_lon=argmax_lon,
        correct=best[:, 0] == truth.class_index,
        in_top5=(best == truth.class_index[:, None]).any(axis=1),
        km=haversine_km(truth.lat, truth.lon, lat, lon),
        argmax_km=haversine_km(truth.lat, truth.lon, argmax_lat, argmax_lon),
        top5_class_ids=ids[best].tolist(),
        top5_class_names=names[best].tolist(),
        top5_probabilities=np.take_along_axis(posterior, best, axis=1).tolist(),
        entropy_nats=entropy(posterior),
        nearest_train_km=nearest_km(truth.lat, truth.lon, question.places.lat, question.places.lon),
    )
