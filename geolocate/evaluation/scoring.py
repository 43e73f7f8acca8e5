"""The one path by which answers become numbers: whoever answered, the same questions, the same chance, one record.

In: the held-out panoramas and answers about all of them. Out: ``runs/<name>/metrics.json``, every number beside chance
and with its interval, and one row a panorama in ``predictions.parquet`` (the blocked test) and
``sample_predictions.parquet`` (the probability sample).

The blocked test asks what a system knows of ground that it was never near. The probability sample asks what a user
would meet: positions at random, each weighted by the ground that it stands for, some of them beside training ground.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from geolocate.dataset.splits import LEFT_OUT, PARTS
from geolocate.evaluation.answers import Answers, fill_classes
from geolocate.evaluation.assess import Bootstrap, assess_answers, guesses_of
from geolocate.evaluation.chance import best_constant_position, most_frequent
from geolocate.evaluation.decoding import entropy
from geolocate.evaluation.held_out import KEPT, Asked, HeldOut, readings
from geolocate.evaluation.levels import Ground, level_metrics
from geolocate.evaluation.strata import strata
from geolocate.evaluation.sureness import sureness
from geolocate.geography.distances import haversine_km, nearest_km
from geolocate.storage import DataRoot, atomic_write, write_json

METRICS_VERSION = "2.1"

MODEL, ARGMAX = "model", "model_argmax"

Systems = Mapping[str, Answers]


@dataclass(frozen=True)
class Source:
    """Who answered: the ``name`` of the folder under runs/, its ``kind``, the ``system`` by its everyday name.

    ``seed`` and ``config`` are a trained run's. ``facts`` stand in metrics.json as they are: a checkpoint's hash, how
    many panoramas had no answer.
    """

    name: str
    kind: str
    system: str
    decoder: str = ""
    seed: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def record(
    root: DataRoot, held: HeldOut, systems: Systems, source: Source, bootstrap: Bootstrap | None = None
) -> dict[str, Any]:
    """Score answers about all of ``held.panorama_ids``, write metrics.json and the predictions, return the metrics.

    ``systems`` has ``model``, and may have ``model_argmax``. Where an answer names no class, the class nearest to its
    position is taken. ``metrics, paired, intervals, levels, strata`` are of the blocked test; the same under
    ``sample`` is of the probability sample, which is None where no row belongs to it. Raises DatasetError when a
    panorama has no answer.
    """
    systems = {name: fill_classes(answers, held.places) for name, answers in systems.items()}
    folder = root.run(source.name)
    metrics = {
        **_facts(held, source),
        **_measured(held, held.blocked, systems, bootstrap),
        "sample": _sample_metrics(held, systems, bootstrap),
        "test_reads": readings(root, held.dataset, source.name),
    }
    for name, asked in (("predictions", held.blocked), ("sample_predictions", held.sample)):
        if asked is not None:
            with atomic_write(folder / f"{name}.parquet") as file:
                predictions(held, asked, systems).to_parquet(file, index=False)
    # Written last: its presence means that the run is evaluated.
    write_json(folder / "metrics.json", metrics)
    return metrics


def predictions(held: HeldOut, asked: Asked, systems: Systems) -> pd.DataFrame:
    """One row a test panorama: truth, prediction, top five, kilometres, doubt, distance to training ground."""
    answers, question = systems[MODEL].about(asked.panorama_ids), asked.question
    truth, index = question.truth, answers.class_index
    table = asked.panoramas[KEPT].assign(
        predicted_class_id=_named(held.classes["class_id"], index),
        predicted_class_name=_named(held.classes["class_name"], index),
        predicted_lat=answers.lat,
        predicted_lon=answers.lon,
        correct=(truth.class_index >= 0) & (index == truth.class_index),
        km=haversine_km(truth.lat, truth.lon, answers.lat, answers.lon),
        confidence=answers.sureness,
        nearest_train_km=nearest_km(truth.lat, truth.lon, question.places.lat, question.places.lon),
    )
    top5 = index[:, None] if answers.top5 is None else answers.top5
    table["in_top5"] = (truth.class_index >= 0) & (top5 == truth.class_index[:, None]).any(axis=1)
    table["top5_class_ids"] = [_named(held.classes["class_id"], row).tolist() for row in top5]
    table["top5_class_names"] = [_named(held.classes["class_name"], row).tolist() for row in top5]
    if answers.posterior is not None:
        table["top5_probabilities"] = np.take_along_axis(answers.posterior, top5, axis=1).tolist()
        table["entropy_nats"] = entropy(answers.posterior)
        table["posterior"] = list(answers.posterior.astype(np.float32))
    if answers.in_region is not None:
        table["in_region"] = answers.in_region
    if ARGMAX in systems:
        argmax = systems[ARGMAX].about(asked.panorama_ids)
        table["argmax_lat"], table["argmax_lon"] = argmax.lat, argmax.lon
        table["argmax_km"] = haversine_km(truth.lat, truth.lon, argmax.lat, argmax.lon)
    return table


def _named(names: pd.Series, index: np.ndarray) -> np.ndarray:
    return np.where(index >= 0, names.to_numpy(str)[index], "")


def _measured(held: HeldOut, asked: Asked, systems: Systems, bootstrap: Bootstrap | None) -> dict[str, Any]:
    about = {name: answers.about(asked.panorama_ids) for name, answers in systems.items()}
    card = held.dataset.card
    ground = Ground(
        held.region, card["top"], card["cell_km"], held.dataset.level, held.classes["class_id"].to_numpy(str)
    )
    truth = asked.question.truth
    guesses = guesses_of(truth, [about[MODEL]])
    return {
        **assess_answers(asked.question, {name: [answers] for name, answers in about.items()}, bootstrap),
        "levels": level_metrics(asked.question, about[MODEL], ground, bootstrap),
        "strata": strata(asked.question, about[MODEL], held.region, bootstrap),
        "sureness": sureness(about[MODEL].sureness, guesses.correct[0], guesses.km[0], truth.blocks),
    }


def _sample_metrics(held: HeldOut, systems: Systems, bootstrap: Bootstrap | None) -> dict[str, Any] | None:
    """Say what the probability sample is a sample of, how much of it there is, and what it shows."""
    sample, dataset = held.sample, held.dataset
    if sample is None:
        return None
    return {
        "frame": f"the plan of {', '.join(dataset.card['collections'])}",
        "counts": {
            "panoramas": len(sample.panoramas),
            "images": len(dataset.sample_rows()),
            "blocks": int(sample.panoramas["block_id"].nunique()),
            "also_blocked_test": int(sample.panoramas["panorama_id"].isin(held.blocked.panorama_ids).sum()),
            "of_untrained_classes": int((sample.question.truth.class_index < 0).sum()),
        },
        "effective_panoramas": round(sample.question.truth.effective, 1),
        **_measured(held, sample, systems, bootstrap),
    }


def _facts(held: HeldOut, source: Source) -> dict[str, Any]:
    dataset, places = held.dataset, held.places
    lat, lon = best_constant_position(places)
    return {
        "metrics_version": METRICS_VERSION,
        "run": source.name,
        "kind": source.kind,
        "system": source.system,
        "dataset": asdict(dataset.ref),
        "world": dataset.world.value,
        "world_version": dataset.card.get("world_version"),
        "region": held.region.name,
        "diagonal_km": held.region.diagonal_km,
        "level": dataset.level,
        "top": dataset.card["top"],
        "partition_version": dataset.partition_version,
        "seed": source.seed,
        "config": dict(source.config),
        "decoder": source.decoder,
        "counts": _counts(held),
        "classes_without_test": _without_test(held),
        "chance": {
            "prior_class": str(held.classes["class_name"].iloc[most_frequent(places)[0]]),
            "best_constant": {"lat": lat, "lon": lon},
        },
        "licenses": {str(key): int(count) for key, count in dataset.rows("test")["license"].value_counts().items()},
        # They were judged on the same test ground when the version was published.
        "probes": dataset.card.get("probes"),
        **source.facts,
    }


def _counts(held: HeldOut) -> dict[str, int]:
    dataset, counts = held.dataset, {"classes": len(held.classes)}
    for part in PARTS:
        rows = dataset.rows(part)
        counts[f"{part}_panoramas"] = int(rows["panorama_id"].nunique())
        counts[f"{part}_images"] = len(rows)
    left_out = dataset.frame[dataset.frame["part"].isin(list(LEFT_OUT))]
    for reason, rows in left_out.groupby("part"):
        counts[f"{reason}_panoramas"] = int(rows["panorama_id"].nunique())
    return {**counts, "test_blocks": int(held.blocked.panoramas["block_id"].nunique())}


def _without_test(held: HeldOut) -> list[str]:
    classes, tested = held.classes, held.blocked.panoramas["class_id"]
    return [str(name) for name in classes.loc[~classes["class_id"].isin(tested), "class_name"]]
