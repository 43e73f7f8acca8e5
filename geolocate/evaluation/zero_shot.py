"""Zero-shot: whole classes held out of training and named by caption only, asked about among themselves.

In: a dataset version, how many classes to hold out, a seed; or a finished run and another region's dataset. Out:
accuracy and kilometres among the names that were never trained on, beside chance among them, under ``runs/<run>/``.

Nothing of a held-out class is seen before it is asked about: none of its rows trains, stops or calibrates; its position
is the gazetteer's (or its cell's middle). So all of its panoramas may be asked about, except those that stand too near
to a training place of another class. Held-out classes are few, and a lucky draw of them moves the figures more than the
panoramas do: intervals resample whole classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from geolocate.dataset.captions import CaptionStyle, dataset_facts, recaptioned
from geolocate.dataset.rights import check_rights
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import DatasetError, SettingsError
from geolocate.evaluation.answers import Answers, answers_from_posterior
from geolocate.evaluation.assess import Bootstrap, Question, assess_answers
from geolocate.evaluation.chance import TrainingPlaces
from geolocate.evaluation.decoding import DEFAULT_DECODER
from geolocate.evaluation.held_out import count_reading, region_of
from geolocate.evaluation.metrics import Truth
from geolocate.evaluation.scoring import ARGMAX, MODEL
from geolocate.evaluation.val_distance import val_distance
from geolocate.geography.distances import haversine_km, nearest_km
from geolocate.geography.regions import Region
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.models.features import image_features
from geolocate.models.posterior import class_posterior
from geolocate.models.text_encoders import text_encoder
from geolocate.storage import DataRoot, atomic_write, sha256_of, write_json
from geolocate.training.checkpoints import TrainedRun
from geolocate.training.config import TrainConfig
from geolocate.training.loop import TrainProgress, train
from geolocate.training.samples import trained_classes

Array = NDArray[np.float64]

#: What is kept of each question and answer.
_KEPT = ["panorama_id", "class_id", "class_name", "part", "lat", "lon"]
_CAPTIONS = "captions.module."


@dataclass(frozen=True)
class ZeroShotConfig:
    """How many classes are held out, drawn by ``seed``, and what the rest is trained with."""

    held_out: int = 10
    seed: int = 0
    train: TrainConfig = field(default_factory=TrainConfig)


def zero_shot(
    root: DataRoot,
    dataset: DatasetVersion,
    config: ZeroShotConfig | None = None,
    *,
    bootstrap: Bootstrap | None = None,
    progress: TrainProgress | None = None,
) -> dict[str, Any]:
    """Train without the held-out classes, ask about them by name, write zero_shot.json and return it.

    An interrupted training goes on where it was. Raises SettingsError when fewer than two classes would be held out or
    stay, DatasetError when none of their panoramas may be asked about, RightsError when a row may not be used so.
    """
    config = config or ZeroShotConfig()
    held = draw_classes(trained_classes(dataset), config.held_out, config.seed)
    view = without_classes(dataset, list(held["class_id"]))
    words = "" if config.train.captions == "study" else f"-{config.train.captions}"
    run = f"zero-shot-{dataset.ref.name[:50]}-{dataset.ref.version[:8]}-h{config.held_out}{words}-s{config.seed}"
    trained = train(root, view, config.train, run, progress, val_distance(view))
    region = region_of(dataset, run)
    rows = askable(dataset, view, list(held["class_id"]), region)
    facts = {
        "held_out": held[["class_id", "class_name"]].to_dict(orient="records"),
        "seed": config.seed,
        "trained_classes": len(trained.classes),
    }
    asked = _Asked(dataset, region, _names(dataset, region, held, config.train.captions), rows)
    return _record(root, (trained, asked), "zero_shot", facts, bootstrap)


def transfer(
    root: DataRoot, trained: TrainedRun, dataset: DatasetVersion, *, bootstrap: Bootstrap | None = None
) -> dict[str, Any]:
    """Ask a run about another dataset's test panoramas, by the captions of that dataset's classes.

    So a run of one country is asked about another, whose places it never saw. Writes transfer-<dataset>.json into the
    run's folder and returns it. Raises DatasetError for a dataset of the run's own region or of another world.
    """
    if dataset.region == trained.region:
        raise DatasetError(
            f"dataset {dataset.ref} is of region {dataset.region!r}, as run {trained.run!r} is: its ground may have "
            "been trained on; name a dataset of another region, or hold classes out with --held-out"
        )
    if dataset.world != trained.world:
        raise DatasetError(
            f"dataset {dataset.ref} is of the {dataset.world.value} world, run {trained.run!r} of the "
            f"{trained.world.value} one: figures of two worlds are no comparison"
        )
    region, classes = region_of(dataset, trained.run), trained_classes(dataset)
    rows = dataset.rows("test")
    rows = rows[rows["class_id"].isin(classes["class_id"])]
    asked = _Asked(dataset, region, _names(dataset, region, classes, trained.config.captions), rows)
    facts = {"trained_on": asdict(trained.dataset), "trained_region": trained.region}
    return _record(root, (trained, asked), f"transfer-{dataset.ref.name}", facts, bootstrap)


def draw_classes(classes: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Draw ``count`` of the classes by the seed alone, whatever their order."""
    if count < 2 or len(classes) - count < 2:
        raise SettingsError(
            f"{count} of {len(classes)} classes held out: choose 2 to {len(classes) - 2}, so that both sides have two"
        )
    ordered = classes.sort_values("class_id", ignore_index=True)
    chosen = np.random.default_rng(seed).choice(len(ordered), count, replace=False)
    return ordered.loc[np.sort(chosen)].reset_index(drop=True)


def without_classes(dataset: DatasetVersion, class_ids: Sequence[str]) -> DatasetVersion:
    """Return the dataset without all rows of these classes; its hash is another, so that no run is taken for it."""
    kept = ~dataset.frame["class_id"].isin(list(class_ids))
    classes = dataset.classes[~dataset.classes["class_id"].isin(list(class_ids))].reset_index(drop=True)
    digest = sha256_of(f"{dataset.ref.sha256} without {' '.join(sorted(class_ids))}".encode())
    ref = replace(dataset.ref, sha256=digest)
    return replace(dataset, ref=ref, frame=dataset.frame[kept].reset_index(drop=True), classes=classes)


def askable(dataset: DatasetVersion, view: DatasetVersion, class_ids: Sequence[str], region: Region) -> pd.DataFrame:
    """Return the held-out classes' rows that stand as far from all training places as test ground does."""
    rows = dataset.frame[dataset.frame["class_id"].isin(list(class_ids))]
    learned = one_a_panorama(view.rows("train", "val"))
    km = nearest_km(
        rows["lat"].to_numpy(float), rows["lon"].to_numpy(float),
        learned["lat"].to_numpy(float), learned["lon"].to_numpy(float),
    )  # fmt: skip
    far = rows[km >= region.partition.buffer_km]
    if far.empty:
        raise DatasetError("all panoramas of the held-out classes stand beside training ground: choose another --seed")
    return far


@dataclass(frozen=True)
class _Asked:
    """What is asked: rows of a dataset's pictures, among names with ``class_id, caption, lat, lon``."""

    dataset: DatasetVersion
    region: Region
    names: pd.DataFrame
    rows: pd.DataFrame


def _names(dataset: DatasetVersion, region: Region, classes: pd.DataFrame, style: CaptionStyle) -> pd.DataFrame:
    """Return the classes as the run's captions name them, at the positions that the gazetteer gives them."""
    facts = dataset_facts(dataset, region, classes)
    named = recaptioned(dataset, classes, style)
    return named.assign(lat=facts["lat"].to_numpy(float), lon=facts["lon"].to_numpy(float))


def _record(
    root: DataRoot,
    subject: tuple[TrainedRun, _Asked],
    file: str,
    facts: dict[str, Any],
    bootstrap: Bootstrap | None,
) -> dict[str, Any]:
    trained, asked = subject
    rows = asked.rows.sort_values(["panorama_id", "heading"], ignore_index=True)
    check_rights(rows, "evaluate")
    panoramas = one_a_panorama(rows).sort_values("panorama_id", ignore_index=True)
    tested = int((panoramas["part"] == "test").sum())
    if tested:
        count_reading(root, asked.dataset, f"{trained.run} ({file})", tested)
    answers = _answers(root, trained, asked, rows)
    question = _question(asked, panoramas)
    result = {
        **facts,
        "run": trained.run,
        "dataset": asdict(asked.dataset.ref),
        "world": trained.world.value,
        "region": asked.region.name,
        "names": len(asked.names),
        "panoramas": len(panoramas),
        "of_test_ground": tested,
        **_measured(question, answers, bootstrap),
    }
    model = answers[MODEL]
    table = panoramas[_KEPT].assign(
        predicted_class_name=asked.names["class_name"].to_numpy()[model.class_index],
        predicted_lat=model.lat,
        predicted_lon=model.lon,
        km=haversine_km(question.truth.lat, question.truth.lon, model.lat, model.lon),
    )
    with atomic_write(trained.path / f"{file}.parquet") as out:
        table.to_parquet(out, index=False)
    write_json(trained.path / f"{file}.json", result)
    return result


def _answers(root: DataRoot, trained: TrainedRun, asked: _Asked, rows: pd.DataFrame) -> dict[str, Answers]:
    features = image_features(root, trained.image_encoder(), [str(sha256) for sha256 in rows["sha256"]])
    heading = torch.from_numpy(rows["heading"].to_numpy(float, copy=True))
    views = rows.groupby("panorama_id", sort=True)
    groups = [torch.from_numpy(group.index.to_numpy(copy=True)) for _, group in views]
    texts = caption_features(trained, list(asked.names["caption"]))
    posterior = class_posterior(
        trained.model.clip, [features[group] for group in groups], texts, [heading[group] for group in groups]
    )
    ids = np.asarray(list(views.groups), dtype=str)
    at = asked.names["lat"].to_numpy(float), asked.names["lon"].to_numpy(float)
    return {
        name: answers_from_posterior(name, ids, posterior, *at, decoder=decoder)
        for name, decoder in ((MODEL, DEFAULT_DECODER), (ARGMAX, "argmax"))
    }


def caption_features(trained: TrainedRun, captions: Sequence[str]) -> torch.Tensor:
    """Encode captions that the run was not trained on, ``[N, T]``, by its own text encoder, tuned or not."""
    encoder = text_encoder(trained.config.text_encoder)
    if not trained.config.freeze_text:
        tensors = load_file(trained.path / "checkpoint.safetensors")
        tuned = {name.removeprefix(_CAPTIONS): value for name, value in tensors.items() if name.startswith(_CAPTIONS)}
        encoder.module.load_state_dict(tuned)
    return encoder.encode(list(captions))


def _question(asked: _Asked, panoramas: pd.DataFrame) -> Question:
    """Ask among the names alone: chance knows where they lie, and that each is as likely as any other."""
    names, count = asked.names, len(asked.names)
    lat, lon = names["lat"].to_numpy(float), names["lon"].to_numpy(float)
    places = TrainingPlaces(lat, lon, np.arange(count), np.ones(count), lat, lon)
    truth = Truth(
        panoramas["lat"].to_numpy(float),
        panoramas["lon"].to_numpy(float),
        pd.Index(names["class_id"]).get_indexer(pd.Index(panoramas["class_id"])),
        panoramas["class_id"].to_numpy(str),
    )
    return Question(truth, places, asked.region.name, asked.region.diagonal_km)


def _measured(question: Question, answers: dict[str, Answers], bootstrap: Bootstrap | None) -> dict[str, Any]:
    measured = assess_answers(question, {name: [one] for name, one in answers.items()}, bootstrap)
    # Without training places no name is the most frequent one.
    for part in ("metrics", "paired"):
        measured[part] = {
            metric: {name: value for name, value in systems.items() if name != "prior"}
            for metric, systems in measured[part].items()
        }
    measured["intervals"]["unit"] = "class"
    return measured
