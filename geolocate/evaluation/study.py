"""The study's table, made again: its tasks × systems, with what was not run said as such.

In: evaluated runs of one world. Out: for each task and system its figures with intervals, or why there are none; and
apart from them what the study and others published, with what is not known of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geolocate.errors import CheckpointError
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.chance import CHANCES
from geolocate.evaluation.compare import (
    EvaluatedRun,
    check_comparable,
    compare,
    compare_recipes,
    read_evaluated,
    recipes_of,
)
from geolocate.models.open_models import OPEN_MODELS, weights_absent
from geolocate.storage import DataRoot


@dataclass(frozen=True, slots=True)
class Task:
    """One of the study's tasks; ``top`` is None where a class is a cell."""

    title: str
    region: str
    level: str
    top: int | None


TASKS = (
    Task("UK grid", "uk", "cell", None),
    Task("UK cities, top 150 merged", "uk", "city", 150),
    Task("UK cities, top 50", "uk", "city", 50),
    Task("US grid", "us", "cell", None),
)

#: Every system of the table, by the key that ``system_of`` gives, and its everyday name.
SYSTEMS = {
    "study": "study (ResNet-50, DistilBERT, its loss)",
    "study-recipe": "study-recipe (its loss, our encoders)",
    "ours": "ours",
    "lstm": "GeoguessrLSTM, mended",
    "linear-probe": "linear probe",
    "nearest-neighbour": "nearest neighbour",
    "openai-clip": "OpenAI CLIP",
    "streetclip": "StreetCLIP",
    "geoclip": "GeoCLIP",
}
SHOWN = ("accuracy", "accuracy_macro", "mean_km", "median_km")


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that was published, of real images; nothing of it was measured here."""

    source: str
    data: str
    images: str
    classes: str
    accuracy: str
    mean_km: str
    chance: str


PUBLISHED = (
    Published(
        "the study", "UK grid", "about 15,000", "not known (219 or more)", "2.28 %", "292 km",
        "uniform about 344 km, best constant about 256 km, both computed afterwards",
    ),
    Published(
        "the study", "UK cities, top 150 merged", "about 52,500", "102", "14.34 %", "128 km",
        "uniform about 235 km, best constant about 151 to 170 km by place list; always the commonest class: not known, "
        "15.3 % if all images were kept when suburbs were merged into London",
    ),
    Published(
        "the study", "UK cities, top 50", "about 30,000", "50", "27.08 %", "131 km",
        "best constant about 151 to 170 km by place list",
    ),
    Published(
        "GeoguessrLSTM, not the study's own work", "US grid", "29,160", "243", "not given", "1931 km",
        "uniform 1682 km, best constant 1238 km over its cells",
    ),
)  # fmt: skip

UNKNOWN = (
    "how many cells the study's UK grid had (219 or more, by its pictures)",
    "whether classes were balanced again after suburbs were merged",
    "whether the headings of one place stood on both sides of its split, which would flatter it",
    "whether its distances went to a place's own position or to its class's",
    "its figures' spread over seeds, and chance on its own test places",
)


def study_table(evaluated: Sequence[EvaluatedRun], bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Return ``tasks`` (each with its rows by system), ``others`` (runs of no task of the study's), the published.

    A row has ``label, values`` (metric → value, low, high) or ``not_run`` (why). Raises CheckpointError for runs of
    two worlds: their figures never stand in one table.
    """
    check_one_world(evaluated)
    tasks = [_task(task, [one for one in evaluated if _belongs(one, task)], bootstrap) for task in TASKS]
    others = [one.run for one in evaluated if not any(_belongs(one, task) for task in TASKS)]
    first = evaluated[0].metrics
    return {"world": first["world"], "world_version": first.get("world_version"), "tasks": tasks, "others": others}


def compare_all(
    root: DataRoot, runs: Sequence[str], bootstrap: Bootstrap | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the study's table of evaluated runs, and a comparison for each dataset version with two runs or more.

    Raises CheckpointError as ``compare`` does, and for runs of two worlds.
    """
    evaluated = [read_evaluated(root, run) for run in dict.fromkeys(runs)]
    check_one_world(evaluated)
    by_version: dict[str, list[str]] = {}
    for one in evaluated:
        by_version.setdefault(one.metrics["dataset"]["sha256"], []).append(one.run)
    alone = len(by_version) > 1
    comparisons = [compare(root, names, bootstrap) for names in by_version.values() if not alone or len(names) > 1]
    return study_table(evaluated, bootstrap), comparisons


def check_one_world(evaluated: Sequence[EvaluatedRun]) -> None:
    """Raise CheckpointError, naming two runs, where they are of different worlds or versions of one."""
    first = evaluated[0]
    for other in evaluated[1:]:
        for what, key in (("world", "world"), ("version of the emulated world", "world_version")):
            if first.metrics.get(key) != other.metrics.get(key):
                raise CheckpointError(
                    f"runs {first.run!r} and {other.run!r} cannot be compared: {what} {first.metrics.get(key)} and "
                    f"{other.metrics.get(key)}; worlds are never mixed, compare them apart"
                )


def system_of(metrics: Mapping[str, Any]) -> str:
    """Return which system of ``SYSTEMS`` this is, or its own name where it is none of them."""
    if metrics["kind"] != "run":
        named = str(metrics["system"]).lower()
        return next((key for key in SYSTEMS if named == key or named.startswith(f"{key}@")), str(metrics["system"]))
    config = metrics["config"]
    if config.get("loss") != "study":
        return "ours"
    tuned = not config.get("freeze_image", True) and str(config["image_encoder"]).startswith("resnet50")
    return "study" if tuned else "study-recipe"


def _belongs(one: EvaluatedRun, task: Task) -> bool:
    metrics = one.metrics
    same = metrics["region"] == task.region and metrics["level"] == task.level
    return same and (task.top is None or metrics["top"] == task.top)


def _task(task: Task, runs: Sequence[EvaluatedRun], bootstrap: Bootstrap | None) -> dict[str, Any]:
    """Return one task's rows; several dataset versions of it stand apart, for their figures are no comparison."""
    versions = {str(one.metrics["dataset"]["sha256"]): one.metrics["dataset"] for one in runs}
    tables = [
        system_rows([one for one in runs if one.metrics["dataset"]["sha256"] == sha256], bootstrap)
        for sha256 in versions
    ]
    missing = [{"label": label, "not_run": _why(key)} for key, label in SYSTEMS.items()] if not tables else []
    return {"title": task.title, "tables": tables, "missing": missing}


def system_rows(runs: Sequence[EvaluatedRun], bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Return a row for each system on one dataset version, and ``compared``, what they rest on: runs[0] is the first.

    Raises CheckpointError for runs of several versions.
    """
    check_comparable(runs)
    recipes = recipes_of(runs)
    compared = compare_recipes(recipes, bootstrap)
    by_system: dict[str, list[str]] = {}
    for recipe in recipes:
        by_system.setdefault(system_of(recipe.runs[0].metrics), []).append(recipe.label)
    rows = []
    for key in [*SYSTEMS, *(key for key in by_system if key not in SYSTEMS)]:
        name = SYSTEMS.get(key, key)
        if key not in by_system:
            rows.append({"label": name, "not_run": _why(key)})
        rows += [_row(_label(name, label), label, compared) for label in by_system.get(key, [])]
    rows += [_row(chance.replace("_", " "), chance, compared) for chance in CHANCES]
    return {"compared": compared, "rows": rows}


def _label(name: str, recipe: str) -> str:
    return name if name == recipe else f"{name}: {recipe}"


def _row(label: str, system: str, compared: Mapping[str, Any]) -> dict[str, Any]:
    return {"label": label, "system": system, "values": {name: compared["metrics"][name][system] for name in SHOWN}}


def _why(system: str) -> str:
    """Say why a row has no figures: its weights are nowhere, or none of the runs that were named is of it."""
    return "weights absent" if system in OPEN_MODELS and weights_absent(system) else "none of the runs named"
