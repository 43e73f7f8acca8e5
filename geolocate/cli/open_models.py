"""`geolocate model evaluate --model NAME`: open models, clipped to a region."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geolocate.errors import DatasetError, GeolocateError, SettingsError, WeightsAbsentError
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    from geolocate.dataset.versions import DatasetVersion
    from geolocate.evaluation.assess import Bootstrap

#: What stands in the place of figures where a model's weights are not on this machine.
NOT_RUN = "not run: weights absent"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which open models, about what, with weights from where."""

    models: tuple[str, ...]
    region: str | None = None
    dataset: str | None = None
    weights: Path | None = None
    download: bool = False


def evaluate_wanted(root: DataRoot, wanted: Wanted, bootstrap: "Bootstrap") -> dict[str, dict[str, Any] | str]:
    """Evaluate each model, and return its metrics, or why it was not run.

    Raises DatasetError and SettingsError for what does not fit together, before anything is loaded.
    """
    from geolocate.evaluation.open_models import evaluate_open_model
    from geolocate.models.open_models import OPEN_MODELS, Weights, open_model

    unknown = [name for name in wanted.models if name not in OPEN_MODELS]
    if unknown:
        raise SettingsError(f"unknown open model {unknown[0]!r}: choose among {', '.join(OPEN_MODELS)}")
    if wanted.weights is not None and len(wanted.models) > 1:
        raise SettingsError("--weights names one folder: ask one model at a time, or leave it out for the hub's cache")
    dataset = dataset_of(root, wanted)
    found: dict[str, dict[str, Any] | str] = {}
    for name in wanted.models:
        try:
            model = open_model(name, Weights(wanted.weights, wanted.download))
        except WeightsAbsentError as error:
            found[name] = f"{NOT_RUN} ({error})"
            continue
        typer.echo(f"{model.entry.title}: licence {model.entry.licence}", err=True)
        found[name] = evaluate_open_model(root, dataset, model, bootstrap=bootstrap, progress=_tell)
    return found


def dataset_of(root: DataRoot, wanted: Wanted) -> "DatasetVersion":
    """Open the dataset that was named, or the only one of the region that was."""
    from geolocate.dataset.versions import open_dataset

    if wanted.dataset is not None:
        dataset = open_dataset(root, wanted.dataset)
        if wanted.region not in (None, dataset.region):
            raise DatasetError(f"dataset {dataset.ref} is of region {dataset.region!r}, not {wanted.region!r}")
        return dataset
    if wanted.region is None:
        raise SettingsError("--model needs --dataset NAME, or --region NAME where one dataset is of that region")
    mine = datasets_of_region(root, wanted.region)
    if len(mine) != 1:
        raise DatasetError(
            f"{len(mine)} datasets of region {wanted.region!r} under {root.path}: "
            + (
                f"choose one of {', '.join(mine)} with --dataset"
                if mine
                else "publish one with `geolocate set publish`"
            )
        )
    return open_dataset(root, mine[0])


def datasets_of_region(root: DataRoot, region: str) -> list[str]:
    """Name the datasets whose newest version is of a region."""
    from geolocate.dataset.versions import version_path
    from geolocate.storage import read_json

    names = sorted(path.name for path in (root.path / "datasets").glob("[!.]*"))
    found = []
    for name in names:
        try:
            card = read_json(version_path(root, name) / "card.json")
        except GeolocateError:  # a folder that holds no version is none of the region's datasets
            continue
        if card["region"] == region:
            found.append(name)
    return found


def echo_json(found: dict[str, dict[str, Any] | str]) -> None:
    """Print metrics by model; ``not_run`` says why there are none."""
    shown = {name: {"not_run": result} if isinstance(result, str) else result for name, result in found.items()}
    typer.echo(json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False))


def _tell(done: int, total: int) -> None:
    if done == total or done % 320 == 0:
        typer.echo(f"pictures: {done} of {total}", err=True)
