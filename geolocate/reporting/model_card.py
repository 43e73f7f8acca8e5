"""The model card: what a model is for, what it must not be used for, what it learned from, how well it does.

In: a finished run, with its metrics where it was evaluated. Out: one page of Markdown.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from geolocate.dataset.versions import DatasetVersion, open_dataset
from geolocate.evaluation.compare import read_evaluated
from geolocate.reporting.page import render
from geolocate.reporting.tables import results_markdown
from geolocate.storage import DataRoot, read_json
from geolocate.training.checkpoints import TrainedRun

#: What answers with the run: temperature, decoder, limits. Written when the run is calibrated.
ANSWERING = "answering.json"

_NAMED = 20


def model_card(root: DataRoot, trained: TrainedRun, name: str, promotion: Mapping[str, Any] | None = None) -> str:
    """Return the card of a run called ``name``; ``promotion`` says by which val figure it was chosen.

    A run that was not evaluated has a card that says so. Raises DatasetError when its dataset is gone or altered.
    """
    dataset = open_dataset(root, str(trained.dataset))
    evaluated = (trained.path / "metrics.json").exists() and (trained.path / "predictions.parquet").exists()
    metrics = read_evaluated(root, trained.run).metrics if evaluated else None
    answering = trained.path / ANSWERING
    content = {
        "name": name,
        "run": trained,
        "config": trained.config,
        "emulated": trained.world.value == "emulated",
        "region_title": dataset.card.get("region_title", trained.region),
        "dataset": dataset.card,
        "best": trained.curves.iloc[trained.best_epoch - 1].to_dict(),
        "rights": training_rights(dataset),
        "results": results_markdown(metrics) if metrics else None,
        "calibration": calibration_lines(read_json(answering) if answering.exists() else {}, metrics or {}),
        "biases": dataset.card.get("biases", []),
        "promotion": promotion,
    }
    return render("model_card.md.j2", content)


def training_rights(dataset: DatasetVersion) -> list[dict[str, Any]]:
    """Return under which rights the training rows stand: images and panoramas by licence, basis and terms."""
    rows = dataset.rows("train")
    facts = rows.assign(**{name: rows[name].fillna("").astype(str) for name in _FACTS})
    grouped = facts.groupby(list(_FACTS), sort=True)
    return [
        {
            **dict(zip(_FACTS, key, strict=True)),
            "images": len(group),
            "panoramas": int(group["panorama_id"].nunique()),
            "attribution": _credits(group["attribution"]),
            "retain_until": _earliest(group["retain_until"]),
        }
        for key, group in grouped
    ]


_FACTS = ("provider", "license", "rights_basis", "terms_version")


def _credits(attribution: pd.Series) -> str:
    names = sorted(attribution.fillna("").astype(str).unique())
    more = f" and {len(names) - _NAMED} more, see ATTRIBUTION in the dataset's folder" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more


def _earliest(until: pd.Series) -> str:
    known = until.dropna().astype(str)
    return str(known.min()) if len(known) else ""


def calibration_lines(answering: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """Say how the probabilities were calibrated, and how that held on the test ground."""
    plain = {name: value for name, value in answering.items() if isinstance(value, int | float | str)}
    lines = [f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in sorted(plain.items())]
    sure = metrics.get("sureness")
    if sure:
        ece = sure["ece"]
        spread = "" if ece["low"] is None else f" [{ece['low']:.3f}, {ece['high']:.3f}]"
        lines.append(f"expected calibration error on the blocked test: {ece['value']:.3f}{spread}")
    return lines if plain else ["not calibrated: the probabilities are the model's own", *lines]


def _shown(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
