"""The model card: what a model is for, what it must not be used for, what it learned from, how well it does.

In: a finished run, with its metrics where it was evaluated. Out: one page of Markdown.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from geolocate.dataset.forgetting import forgotten_since
from geolocate.dataset.versions import DatasetVersion, open_dataset, read_version
from geolocate.evaluation.compare import read_metrics
from geolocate.reporting.page import render
from geolocate.reporting.tables import results_markdown
from geolocate.storage import DataRoot, read_json
from geolocate.training.checkpoints import TrainedRun, load_run_folder

#: What answers with the run: temperature, decoder, limits. Written when the run is calibrated.
ANSWERING = "answering.json"
#: The card's name in the folder of a promoted version.
CARD = "MODEL_CARD.md"

_NAMED = 20


def model_card(root: DataRoot, trained: TrainedRun, name: str, promotion: Mapping[str, Any] | None = None) -> str:
    """Return the card of a run called ``name``; ``promotion`` says by which val figure it was chosen.

    A run that was not evaluated has a card that says so. Raises DatasetError when its dataset is gone or altered.
    """
    dataset = open_dataset(root, str(trained.dataset))
    evaluated = (trained.path / "metrics.json").exists()
    metrics = read_metrics(trained.path, trained.run) if evaluated else None
    fitted = trained.path / ANSWERING
    answering = read_json(fitted) if fitted.exists() else {}
    content = {
        "name": name,
        "run": trained,
        "config": trained.config,
        "emulated": trained.world.value == "emulated",
        "region_title": dataset.card.get("region_title", trained.region),
        "dataset": dataset.card,
        "best": trained.curves.iloc[trained.best_epoch - 1].to_dict(),
        "forgotten": forgotten_since(root, read_version(root, str(trained.dataset))),
        "rights": training_rights(dataset),
        "results": results_markdown(metrics) if metrics else None,
        "calibration": calibration_lines(answering, metrics or {}),
        "outsiders": outsiders_line(answering, metrics or {}),
        "biases": dataset.card.get("biases", []),
        "promotion": promotion,
    }
    return render("model_card.md.j2", content)


def promoted_card(root: DataRoot, folder: Path, record: Mapping[str, Any]) -> str:
    """Return the card of a promoted version as it is to be by now; ``record`` is its ``promotion.json``.

    Raises CheckpointError for a damaged version, DatasetError when its dataset is gone or altered.
    """
    trained = load_run_folder(folder, record["run"])
    # Versions from before it was written down do not say what was in use before them.
    return model_card(root, trained, f"{record['name']}@{record['version']}", {"before": None, **record})


def without_credits(card: str) -> str:
    """Return a card without the lines that credit creators, which say that they were taken out instead."""
    head, title, rest = card.partition(_LEARNED)
    lines, after, tail = rest.partition("\nOn val ground")
    kept = re.sub(r"(?m)^- .*\n", "", lines.replace(_UNCREDITED, "")).rstrip()
    return f"{head}{title}{kept}\n\n{_UNCREDITED}{after}{tail}" if title else card


_LEARNED = "\n## What it learned from\n"
_UNCREDITED = "Whom the pictures are from no longer stands here: some of them asked to be forgotten.\n"


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


def outsiders_line(answering: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Say what becomes of a picture from elsewhere: refused by its open-set score, or given a place all the same."""
    if not answering:
        return "It was not calibrated, so it refuses nothing, and names one of them all the same."
    if not answering["refuse_below"]:
        return "It refuses nothing, for want of calibration ground to find a limit, and names one of them all the same."
    refusal = metrics.get("answering", {}).get("refusal")
    cost = f", and so were {100 * refusal['refused']:.1f} % of the genuine test panoramas" if refusal else ""
    return (
        "A picture that is less like its training places than genuine ones are is refused by `geolocate predict`, "
        f"which then names none of them (`--guess-anyway` does){cost}; one from elsewhere that is like them may pass, "
        "and is given one of them."
    )


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
