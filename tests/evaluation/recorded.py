"""Evaluated runs made from arrays: seeds of several recipes of one dataset, without any training."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from geolocate.evaluation.assess import Bootstrap, answers_by_decoder, assess_answers, guesses_of
from geolocate.evaluation.compare import EvaluatedRun
from geolocate.evaluation.scoring import METRICS_VERSION
from tests.evaluation.examples import posterior, question

ASKED = question(test=90)


def evaluated_run(
    name: str, skill: float, seed: int, changed: Mapping[str, object] | None = None, noise: int = 0
) -> EvaluatedRun:
    """A run of a recipe called by its ``skill``; ``changed`` replaces facts in its metrics."""
    systems = answers_by_decoder(ASKED, [posterior(ASKED, skill, seed + noise)])
    truth, answers = ASKED.truth, systems["model"][0]
    metrics = {
        "metrics_version": METRICS_VERSION,
        "run": name,
        "kind": "run",
        "system": name,
        "world": "emulated",
        "world_version": "1",
        "dataset": {"name": "towns", "version": "1", "sha256": "a" * 64},
        "region": "uk",
        "diagonal_km": 1388.0,
        "level": "city",
        "top": 50,
        "partition_version": "p",
        "decoder": "least_expected_distance",
        "seed": seed,
        "config": {"seed": seed, "skill": skill, "noise": noise, "loss": "infonce", "freeze_image": True},
        "counts": {"test_panoramas": len(truth.lat)},
        "chance": {},
        **assess_answers(ASKED, systems, Bootstrap(200)),
    }
    guesses = guesses_of(truth, [answers])
    predictions = pd.DataFrame(
        {
            "panorama_id": np.arange(len(truth.lat)).astype(str),
            "lat": truth.lat,
            "lon": truth.lon,
            "class_id": truth.class_index.astype(str),
            "block_id": truth.block_id,
            "km": guesses.km[0],
            "correct": guesses.correct[0],
            "in_top5": guesses.top5[0],
        }
    )
    return EvaluatedRun(name, metrics | dict(changed or {}), predictions)


def seeds(label: str, skill: float, noise: int = 0) -> list[EvaluatedRun]:
    """Runs of one recipe, seeds 0 …"""
    return [evaluated_run(f"{label}-s{seed}", skill, seed, noise=noise) for seed in range(5)]
