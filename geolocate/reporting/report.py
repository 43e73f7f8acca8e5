"""One self-contained HTML file about an evaluated run.

In: what training and evaluation left in the run's folder. Out: ``report.html``, with every picture inside, and
``map.png`` beside it. It reads no test row itself: ``predictions.parquet`` has what it shows.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from geolocate.dataset.splits import LEFT_OUT, PARTS
from geolocate.dataset.versions import open_dataset
from geolocate.evaluation.compare import EvaluatedRun, read_evaluated
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.regions import load_region
from geolocate.reporting import figures
from geolocate.reporting.answer_figures import confusion_map, error_by_stratum, reliability_diagram
from geolocate.reporting.page import render
from geolocate.reporting.pictures import picture_tiles
from geolocate.reporting.promises import promise_rows, recall_figure, refusal_lines
from geolocate.reporting.sections import (
    LEVEL_LABELS,
    STRATA,
    STRATUM_LABELS,
    confusions,
    level_rows,
    per_class,
    per_place,
    probe_rows,
    stratum_rows,
)
from geolocate.reporting.tables import EMULATED, SYSTEMS, footnotes, result_lines, test_sets, verdicts
from geolocate.storage import DataRoot, atomic_write
from geolocate.training.checkpoints import TrainedRun, load_run

_CONFUSIONS = 12

_CHANCES = {name: label for name, label in SYSTEMS.items() if name != "model"}


def write_report(root: DataRoot, run: str) -> Path:
    """Write ``report.html`` and ``map.png`` into the run's folder and return the report's path.

    Raises CheckpointError when the run is not finished or not evaluated.
    """
    evaluated = read_evaluated(root, run)
    # What another program or an open model answered has no training to show.
    trained = load_run(root, run) if evaluated.metrics["kind"] == "run" else None
    drawn = _figures(trained, evaluated)
    page = render("report.html.j2", _content(root, trained, evaluated, drawn))
    folder = root.run(run)
    with atomic_write(folder / "map.png") as file:
        file.write(drawn["map"])
    path = folder / "report.html"
    with atomic_write(path) as file:
        file.write(page.encode())
    return path


def _figures(trained: TrainedRun | None, evaluated: EvaluatedRun) -> dict[str, bytes]:
    predictions, mean_km = evaluated.predictions, evaluated.metrics["metrics"]["mean_km"]
    outline = boundary_of(load_region(evaluated.metrics["region"])).outline
    drawn = {
        "map": figures.prediction_map(predictions, outline, _title(evaluated.metrics)),
        "confusions": confusion_map(confusions(predictions), per_place(predictions), outline),
        "errors": figures.error_distribution(
            predictions, {label: mean_km[name]["value"] for name, label in _CHANCES.items()}
        ),
        "nearest": figures.error_by_nearest_training(predictions),
        "strata": error_by_stratum(evaluated.metrics["strata"]),
    }
    if evaluated.metrics["sureness"]:
        drawn["sureness"] = reliability_diagram(evaluated.metrics["sureness"])
    if "answering" in evaluated.metrics:
        drawn["recall"] = recall_figure(evaluated.metrics["answering"])
    if trained:
        drawn["curves"] = figures.training_curves(trained.curves, trained.best_epoch)
    return drawn


def _content(
    root: DataRoot, trained: TrainedRun | None, evaluated: EvaluatedRun, drawn: Mapping[str, bytes]
) -> dict[str, Any]:
    metrics, predictions = evaluated.metrics, evaluated.predictions
    card = open_dataset(root, f"{metrics['dataset']['name']}@{metrics['dataset']['version']}").card
    return {
        "title": _title(metrics),
        "emulated": metrics["world"] == "emulated",
        "metrics": metrics,
        "systems": SYSTEMS,
        "tables": {label: result_lines(of_set) for label, of_set in test_sets(metrics).items()},
        "levels": {label: level_rows(of_set["levels"]) for label, of_set in test_sets(metrics).items()},
        "level_systems": LEVEL_LABELS,
        "strata": {title: stratum_rows(metrics["strata"][name]) for name, title in STRATA.items()},
        "stratum_systems": STRATUM_LABELS,
        "promises": promise_rows(metrics["answering"]) if "answering" in metrics else [],
        "refusal": refusal_lines(metrics["answering"]) if "answering" in metrics else [],
        "probes": probe_rows(metrics),
        "verdicts": verdicts(metrics),
        "notes": footnotes(metrics),
        "figures": {name: data_uri(body, "image/png") for name, body in drawn.items()},
        "tiles": [
            {"tile": tile, "views": [data_uri(view, "image/jpeg") for view in tile.views]}
            for tile in picture_tiles(root, predictions)
        ],
        "classes": per_class(predictions).to_dict(orient="records"),
        "confusions": confusions(predictions).head(_CONFUSIONS).to_dict(orient="records"),
        "dataset": _dataset_facts(card, metrics),
        "config": dict(sorted(metrics["config"].items())),
        "training": _training(trained),
        "summaries": _summaries(predictions, metrics),
    }


def _training(trained: TrainedRun | None) -> dict[str, Any] | None:
    if trained is None:
        return None
    selected = trained.config.select_by.replace("_", " ")
    return {"epochs": trained.epochs, "best_epoch": trained.best_epoch, "select_by": selected}


def _summaries(predictions: pd.DataFrame, metrics: Mapping[str, Any]) -> dict[str, str]:
    """Say in words what the figures show, for those who do not see them."""
    km, near = predictions["km"], predictions["nearest_train_km"]
    return {
        "errors": f"Half of the predictions are within {km.median():.0f} km, nine tenths within "
        f"{km.quantile(0.9):.0f} km; the mean of the best constant is "
        f"{metrics['metrics']['mean_km']['best_constant']['value']:.0f} km.",
        "nearest": f"The nearest training panorama is {near.median():.1f} km away at the median, "
        f"{near.min():.1f} km at the least. The median error is "
        f"{km[near <= near.median()].median():.0f} km for the nearer half and "
        f"{km[near > near.median()].median() if (near > near.median()).any() else km.median():.0f} km for the rest.",
    }


def _dataset_facts(card: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, str]:
    counts = metrics["counts"]
    parts = (*PARTS, *LEFT_OUT)
    licenses = ", ".join(f"{name} ({count} images)" for name, count in card["licenses"].items())
    return {
        "version": f"{card['name']}@{card['version']}",
        "SHA-256": card["sha256"],
        "world": EMULATED if metrics["world"] == "emulated" else "real",
        "region and level": f"{card['region']}, {card['level']}",
        "ground partition": card["partition_version"],
        "collections": ", ".join(card["collections"]),
        "images": str(card["images"]),
        "panoramas": str(card["panoramas"]),
        "panoramas by part": ", ".join(
            f"{part} {counts[f'{part}_panoramas']}" for part in parts if f"{part}_panoramas" in counts
        ),
        "classes": str(counts["classes"]),
        "classes without a test panorama": ", ".join(metrics["classes_without_test"]) or "none",
        "licences": licenses,
    }


def _title(metrics: Mapping[str, Any]) -> str:
    world = f" ({EMULATED})" if metrics["world"] == "emulated" else ""
    return f"{load_region(metrics['region']).title}, {metrics['run']}{world}"


def data_uri(body: bytes, media_type: str) -> str:
    """Return the bytes as an address that needs no other file."""
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"
