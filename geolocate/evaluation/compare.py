"""Set evaluated runs side by side, on the same test panoramas or not at all.

In: names of evaluated runs. Out: their metrics, and the paired interval of each run − the first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from geolocate.errors import CheckpointError
from geolocate.evaluation.assess import Bootstrap, estimate
from geolocate.evaluation.intervals import draw_resamples, whole_sample
from geolocate.evaluation.metrics import Guesses, Scorer, Truth
from geolocate.evaluation.scoring import METRICS_VERSION
from geolocate.storage import DataRoot, read_json

#: What must be the same, what it is called, and how it is read from a run's metrics.
_SAME: tuple[tuple[str, Callable[[dict[str, Any]], Any]], ...] = (
    ("world", lambda metrics: metrics["world"]),
    ("version of the emulated world", lambda metrics: metrics.get("world_version")),
    ("dataset", lambda metrics: f"{metrics['dataset']['name']}@{metrics['dataset']['version']}"),
    ("dataset hash", lambda metrics: metrics["dataset"]["sha256"]),
    ("ground partition", lambda metrics: metrics["partition_version"]),
)


@dataclass(frozen=True)
class EvaluatedRun:
    """What ``evaluate`` wrote about a run: metrics, and predictions sorted by panorama."""

    run: str
    metrics: dict[str, Any]
    predictions: pd.DataFrame


def read_evaluated(root: DataRoot, run: str) -> EvaluatedRun:
    """Read a run's metrics and predictions. Raises CheckpointError when it was not evaluated."""
    folder = root.run(run)
    if not (folder / "metrics.json").exists() or not (folder / "predictions.parquet").exists():
        known = sorted(path.parent.name for path in (root.path / "runs").glob("*/metrics.json"))
        raise CheckpointError(
            f"run {run!r} is not evaluated: run `geolocate model evaluate {run}`; "
            f"evaluated are {', '.join(known) or 'none'}"
        )
    metrics = read_json(folder / "metrics.json")
    if metrics.get("metrics_version") != METRICS_VERSION:
        raise CheckpointError(
            f"run {run!r} was evaluated with metrics_version {metrics.get('metrics_version')!r}, this program reads "
            f"{METRICS_VERSION}: run `geolocate model evaluate {run}` again"
        )
    predictions = pd.read_parquet(folder / "predictions.parquet").sort_values("panorama_id", ignore_index=True)
    return EvaluatedRun(run, metrics, predictions)


def compare(root: DataRoot, runs: Sequence[str], bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Return the runs' metrics beside chance, and ``paired[metric][run]`` of run − the first run.

    Raises CheckpointError for fewer than two runs, and for runs of different worlds, datasets, partitions or test
    panoramas: their figures are no comparison.
    """
    if len(set(runs)) < 2:
        raise CheckpointError(
            f"{len(set(runs))} run to compare: name two or more different runs of one dataset version"
        )
    evaluated = [read_evaluated(root, run) for run in dict.fromkeys(runs)]
    _check_comparable(evaluated)
    first = evaluated[0].metrics
    return {
        **{name: first[name] for name in ("world", "dataset", "region", "partition_version", "counts", "chance")},
        "runs": [one.run for one in evaluated],
        "seeds": {one.run: one.metrics["seed"] for one in evaluated},
        "metrics": {
            metric: {
                **{one.run: one.metrics["metrics"][metric]["model"] for one in evaluated},
                **{name: values for name, values in systems.items() if not name.startswith("model")},
            }
            for metric, systems in first["metrics"].items()
        },
        "paired": _paired(evaluated, bootstrap or Bootstrap()),
    }


def _check_comparable(evaluated: Sequence[EvaluatedRun]) -> None:
    first = evaluated[0]
    for other in evaluated[1:]:
        for what, read in _SAME:
            ours, theirs = read(first.metrics), read(other.metrics)
            if ours != theirs:
                raise CheckpointError(
                    f"runs {first.run!r} and {other.run!r} cannot be compared: {what} {ours} and {theirs}; "
                    "compare runs of one dataset version"
                )
        if list(first.predictions["panorama_id"]) != list(other.predictions["panorama_id"]):
            raise CheckpointError(
                f"runs {first.run!r} and {other.run!r} were evaluated on different test panoramas: "
                "evaluate both again with `geolocate model evaluate`"
            )


def _paired(evaluated: Sequence[EvaluatedRun], bootstrap: Bootstrap) -> dict[str, dict[str, Any]]:
    first = evaluated[0]
    truth = _truth(first.predictions)
    blocks = int(truth.blocks.max()) + 1
    scorer = Scorer(truth, first.metrics["region"], first.metrics["diagonal_km"])
    once, drawn = whole_sample(1, blocks), draw_resamples(1, blocks, bootstrap.resamples, bootstrap.seed)
    level = bootstrap.level if blocks > 1 else None
    guesses = {one.run: _guesses(one.predictions) for one in evaluated}
    value = {run: scorer.score(guess, once) for run, guess in guesses.items()}
    sample = {run: scorer.score(guess, drawn) for run, guess in guesses.items()}
    return {
        metric: {
            one.run: estimate(
                value[one.run][metric] - value[first.run][metric],
                sample[one.run][metric] - sample[first.run][metric],
                level,
            )
            for one in evaluated[1:]
        }
        for metric in value[first.run]
    }


def _truth(predictions: pd.DataFrame) -> Truth:
    return Truth(
        predictions["lat"].to_numpy(float),
        predictions["lon"].to_numpy(float),
        np.asarray(pd.factorize(predictions["class_id"])[0], dtype=np.intp),
        predictions["block_id"].to_numpy(str),
    )


def _guesses(predictions: pd.DataFrame) -> Guesses:
    return Guesses(
        predictions["km"].to_numpy(float)[None],
        predictions["correct"].to_numpy(bool)[None],
        predictions["in_top5"].to_numpy(float)[None],
    )
