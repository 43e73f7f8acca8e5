"""Promote the best of some runs by its figure on val ground, never by a test figure.

In: finished runs of one dataset version. Out: ``models/<name>/<version>/`` with the checkpoint, its curves and its
card, and ``models/<name>/promoted.json``, which says which version is in use.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from geolocate.errors import CheckpointError
from geolocate.reporting.model_card import ANSWERING, CARD, promoted_card
from geolocate.storage import DataRoot, atomic_write, read_json, sha256_of_file, write_json
from geolocate.training.checkpoints import TrainedRun, load_run

FIGURE = "val_mean_km"

_NEEDED = ("checkpoint.safetensors", "checkpoint.json", "config.json", "curves.csv")
_IF_THERE = (ANSWERING, "metrics.json", "report.html", "map.png")


#: How a run stands to the model in use, by its figure on the val ground of one dataset version.
Standing = Literal["first", "better", "no better", "not comparable"]


@dataclass(frozen=True, slots=True)
class Promoted:
    """A promoted version, and the val figure (km, less is better) by which it was chosen."""

    name: str
    version: str
    run: str
    figure: str
    value: float
    dataset: dict[str, str]
    path: str
    note: str = ""


def promote(root: DataRoot, runs: Sequence[str], name: str | None = None) -> Promoted:
    """Promote the run with the smallest mean distance on val ground; ``name`` is the dataset's if it is left out.

    A version in use is replaced by a better one only, where both were chosen on the same dataset version. Raises
    CheckpointError for unfinished runs, runs of different dataset versions, a run without the figure, and one that is
    no better than what is in use.
    """
    trained = [load_run(root, run) for run in dict.fromkeys(runs)]
    _check_same(trained)
    best = min(trained, key=val_figure)
    name = name or best.dataset.name
    before = _in_use(root, name)
    note = _check_better(best, before, name)
    version = sha256_of_file(best.path / "checkpoint.safetensors")[:12]
    promoted = Promoted(
        name, version, best.run, FIGURE, val_figure(best), asdict(best.dataset), str(root.model(name, version)), note
    )
    _copy(root, best, promoted, before)
    return promoted


def standing(root: DataRoot, run: str) -> Standing:
    """Say how a finished run stands to the model in use that bears its dataset's name.

    Figures of two dataset versions are of other places, and so not comparable.
    """
    trained = load_run(root, run)
    before = _in_use(root, trained.dataset.name)
    if before is None:
        return "first"
    if before["dataset"]["sha256"] != trained.dataset.sha256:
        return "not comparable"
    return "better" if val_figure(trained) < before["value"] else "no better"


def val_figure(run: TrainedRun) -> float:
    """Return the mean distance on val ground, km, of the epoch that was kept."""
    kept = run.curves.iloc[run.best_epoch - 1]
    value = float(kept.get(FIGURE, math.nan))
    if not math.isfinite(value):
        raise CheckpointError(f"run {run.run!r} has no {FIGURE} in curves.csv: train it on a dataset with val rows")
    return value


def _check_same(runs: Sequence[TrainedRun]) -> None:
    for other in runs[1:]:
        if other.dataset.sha256 != runs[0].dataset.sha256:
            raise CheckpointError(
                f"runs {runs[0].run!r} and {other.run!r} were trained on {runs[0].dataset} and {other.dataset}: their "
                "val figures are no comparison; name runs of one dataset version"
            )


def _in_use(root: DataRoot, name: str) -> dict[str, Any] | None:
    path = root.model(name) / "promoted.json"
    return read_json(path) if path.exists() else None


def _check_better(best: TrainedRun, before: dict[str, Any] | None, name: str) -> str:
    """Return what is to be said of the version that was in use. Raises CheckpointError where it is no worse."""
    if before is None:
        return ""
    if before["dataset"]["name"] != best.dataset.name:
        raise CheckpointError(
            f"model {name!r} was trained on {before['dataset']['name']}, run {best.run!r} on {best.dataset.name}: "
            "choose another name with --name"
        )
    if before["dataset"]["sha256"] != best.dataset.sha256:
        return f"{before['version']} was chosen on another dataset version, so the two were not compared"
    if val_figure(best) >= before["value"]:
        raise CheckpointError(
            f"run {best.run!r} has {FIGURE} {val_figure(best):.1f}, model {name}@{before['version']} has "
            f"{before['value']:.1f}: nothing is promoted, less is better"
        )
    return ""


def _reason(promoted: Promoted, before: dict[str, Any] | None) -> str:
    """Say in a line why this one is in use from now on."""
    figure = f"{promoted.figure} {promoted.value:.1f}"
    if before is None:
        return f"{figure}; no other was in use"
    return f"{figure}; {before['version']}, in use before, had {before['value']:.1f}. {promoted.note}".rstrip(" .")


def _copy(root: DataRoot, best: TrainedRun, promoted: Promoted, before: dict[str, Any] | None) -> None:
    folder = Path(promoted.path)
    there = [file for file in _IF_THERE if (best.path / file).exists()]
    for file in (*_NEEDED, *there):
        with (best.path / file).open("rb") as source, atomic_write(folder / file) as copy:
            shutil.copyfileobj(source, copy)
    record = {**asdict(promoted), "reason": _reason(promoted, before)}
    record["before"] = before and {name: before[name] for name in ("version", "value")}
    record["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    with atomic_write(folder / CARD) as page:
        page.write(promoted_card(root, folder, record).encode())
    write_json(folder / "promotion.json", record)
    # Last: what it names is whole.
    write_json(root.model(promoted.name) / "promoted.json", record)
