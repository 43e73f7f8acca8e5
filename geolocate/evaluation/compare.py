"""Set evaluated runs side by side, on the same test panoramas or not at all.

In: names of evaluated runs. Out: the metrics of each recipe, and the paired interval of each recipe − the first. Runs
that differ in their seed only are one recipe.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolocate.errors import CheckpointError
from geolocate.evaluation.assess import Bootstrap, estimate
from geolocate.evaluation.holm import corrected
from geolocate.evaluation.intervals import Resamples, draw_resamples, whole_sample
from geolocate.evaluation.metrics import Guesses, Scorer, Truth
from geolocate.evaluation.scoring import METRICS_VERSION
from geolocate.storage import DataRoot, read_json

Scores = Mapping[str, NDArray[np.float64]]

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
    metrics = read_metrics(folder, run)
    predictions = pd.read_parquet(folder / "predictions.parquet").sort_values("panorama_id", ignore_index=True)
    return EvaluatedRun(run, metrics, predictions)


def read_metrics(folder: Path, run: str) -> dict[str, Any]:
    """Read the metrics in a folder, a run's or a copy's. Raises CheckpointError for those of another format."""
    metrics: dict[str, Any] = read_json(folder / "metrics.json")
    if metrics.get("metrics_version") != METRICS_VERSION:
        raise CheckpointError(
            f"run {run!r} was evaluated with metrics_version {metrics.get('metrics_version')!r}, this program reads "
            f"{METRICS_VERSION}: run `geolocate model evaluate {run}` again"
        )
    return metrics


@dataclass(frozen=True)
class Recipe:
    """Runs that differ in nothing but their seed; what has no seed is a recipe of one."""

    label: str
    runs: tuple[EvaluatedRun, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seeds, in the order of the runs."""
        return tuple(run.metrics["seed"] for run in self.runs)


def compare(root: DataRoot, runs: Sequence[str], bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Return the recipes' metrics beside chance, and ``paired[metric][recipe]`` of recipe − the first recipe.

    Runs that differ in their seed only are one recipe (unless there is no other): its figures are means over runs,
    and the intervals draw seeds together with ground blocks. Seeds are paired where every recipe has the same ones.
    Each difference has ``p``, and ``p_holm, holm_low, holm_high`` after Holm's correction over the recipes. Raises
    CheckpointError for fewer than two runs, and for runs of different worlds, datasets, partitions or test panoramas:
    their figures are no comparison.
    """
    if len(set(runs)) < 2:
        raise CheckpointError(
            f"{len(set(runs))} run to compare: name two or more different runs of one dataset version"
        )
    evaluated = [read_evaluated(root, run) for run in dict.fromkeys(runs)]
    check_comparable(evaluated)
    recipes = recipes_of(evaluated)
    # Seeds of one recipe, and nothing else to set them beside: they are what is compared.
    return compare_recipes(recipes if len(recipes) > 1 else [Recipe(one.run, (one,)) for one in evaluated], bootstrap)


def compare_recipes(recipes: Sequence[Recipe], bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Return what ``compare`` does, of one recipe or more whose runs are comparable."""
    first = recipes[0].runs[0].metrics
    return {
        **{name: first[name] for name in ("world", "dataset", "region", "partition_version", "counts", "chance")},
        "runs": [recipe.label for recipe in recipes],
        "members": {recipe.label: [one.run for one in recipe.runs] for recipe in recipes},
        "seeds": {recipe.label: list(recipe.seeds) for recipe in recipes},
        "seeds_paired": _paired_seeds(recipes),
        **_scored(recipes, first, bootstrap or Bootstrap()),
    }


def recipes_of(evaluated: Sequence[EvaluatedRun]) -> list[Recipe]:
    """Put runs together that differ in their seed only, in the order in which they were named; seeds ascend."""
    groups: dict[str, list[EvaluatedRun]] = {}
    for one in evaluated:
        config = {name: value for name, value in one.metrics["config"].items() if name != "seed"}
        alone = one.run if one.metrics["seed"] is None else ""
        key = json.dumps([config, one.metrics["decoder"], alone], sort_keys=True)
        groups.setdefault(key, []).append(one)
    return [_recipe(sorted(group, key=lambda one: one.metrics["seed"] or 0)) for group in groups.values()]


def _recipe(runs: Sequence[EvaluatedRun]) -> Recipe:
    if len(runs) == 1:
        return Recipe(runs[0].run, tuple(runs))
    names = [one.run for one in runs]
    shared = os.path.commonprefix(names).removesuffix("s").rstrip("-_.")  # noqa: RUF071 - names, not paths
    return Recipe(f"{shared or runs[0].run} ({len(runs)} seeds)", tuple(runs))


def check_comparable(evaluated: Sequence[EvaluatedRun]) -> None:
    """Raise CheckpointError, naming the difference, where runs were not asked the same questions."""
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


def _paired_seeds(recipes: Sequence[Recipe]) -> bool:
    return len({recipe.seeds for recipe in recipes}) == 1


def _scored(recipes: Sequence[Recipe], first: Mapping[str, Any], bootstrap: Bootstrap) -> dict[str, Any]:
    truth = _truth(recipes[0].runs[0].predictions)
    blocks = int(truth.blocks.max()) + 1
    scorer = Scorer(truth, first["region"], first["diagonal_km"])
    paired, values, samples = _paired_seeds(recipes), {}, {}
    for at, recipe in enumerate(recipes):
        guesses, count = _guesses(recipe), len(recipe.runs)
        values[recipe.label] = scorer.score(guesses, whole_sample(count, blocks))
        samples[recipe.label] = scorer.score(guesses, _draws(recipe, blocks, bootstrap, 0 if paired else at))
    level = bootstrap.level if blocks > 1 else None
    return {
        "metrics": {
            metric: {
                **{label: estimate(values[label][metric], samples[label][metric], level) for label in values},
                **{name: value for name, value in systems.items() if not name.startswith("model")},
            }
            for metric, systems in first["metrics"].items()
        },
        "paired": {metric: _differences(metric, values, samples, level) for metric in first["metrics"]},
        "intervals": {
            "level": bootstrap.level,
            "resamples": bootstrap.resamples,
            "seed": bootstrap.seed,
            "unit": "ground block" if all(len(recipe.runs) == 1 for recipe in recipes) else "run and ground block",
            "blocks": blocks,
        },
    }


def _draws(recipe: Recipe, blocks: int, bootstrap: Bootstrap, shift: int) -> Resamples:
    """Draw blocks as for every recipe, and runs of its own where the seeds are not paired (``shift`` above 0)."""
    ground = draw_resamples(1, blocks, bootstrap.resamples, bootstrap.seed).blocks
    runs = draw_resamples(len(recipe.runs), 1, bootstrap.resamples, bootstrap.seed + 1 + shift).runs
    return Resamples(runs, ground)


def _differences(
    metric: str, values: Mapping[str, Scores], samples: Mapping[str, Scores], level: float | None
) -> dict[str, dict[str, float | bool | None]]:
    """Return each recipe − the first: value, interval, and what Holm leaves of it."""
    first, *others = values
    differences = {label: samples[label][metric] - samples[first][metric] for label in others}
    family = corrected(differences, level) if level and differences else {}
    result: dict[str, dict[str, float | bool | None]] = {}
    for label in others:
        value = values[label][metric] - values[first][metric]
        result[label] = {**estimate(value, differences[label], level)}
        if label in family:
            one = family[label]
            holm = {"p": one.p, "p_holm": one.p_holm, "holm_low": one.low, "holm_high": one.high}
            result[label] |= holm | {"told_apart": one.rejected}
    return result


def _truth(predictions: pd.DataFrame) -> Truth:
    return Truth(
        predictions["lat"].to_numpy(float),
        predictions["lon"].to_numpy(float),
        np.asarray(pd.factorize(predictions["class_id"])[0], dtype=np.intp),
        predictions["block_id"].to_numpy(str),
    )


def _guesses(recipe: Recipe) -> Guesses:
    tables = [one.predictions for one in recipe.runs]
    return Guesses(
        np.stack([table["km"].to_numpy(float) for table in tables]),
        np.stack([table["correct"].to_numpy(bool) for table in tables]),
        np.stack([table["in_top5"].to_numpy(float) for table in tables]),
    )
