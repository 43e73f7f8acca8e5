"""`geolocate model zero-shot`: names that were never trained on."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from geolocate.cli.evaluate import AsJson
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

#: What is shown, its unit, and by how much its figures are multiplied.
_SHOWN = {
    "accuracy": ("%", 100.0),
    "accuracy_macro": ("%", 100.0),
    "accuracy_top5": ("%", 100.0),
    "mean_km": ("km", 1.0),
    "median_km": ("km", 1.0),
}
_SYSTEMS = ("model", "uniform", "best_constant")


def register(model_app: typer.Typer) -> None:
    """Add the command to the group of models."""
    model_app.command()(zero_shot)


def zero_shot(
    dataset: Annotated[str, typer.Option(help="NAME (its newest version) or NAME@VERSION: what is asked about.")],
    held_out: Annotated[int, typer.Option(min=2, help="Classes held out of training, and asked about by name.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Which classes are held out; also the seed of training.")] = 0,
    run: Annotated[
        str | None,
        typer.Option(help="A finished run of another region, asked by the captions of the dataset."),
    ] = None,
    captions: Annotated[str, typer.Option(help="What names the classes: study, streetclip or rich.")] = "study",
    as_json: AsJson = False,
) -> None:
    """Ask about classes that were held out of training and are named by caption only, beside chance among them.

    Example: geolocate model zero-shot --dataset uk-cities-50 --held-out 10 --seed 0. A run of the UK, asked about the
    US: geolocate model zero-shot --run uk-cities-50-s0 --dataset us-cities-150
    """
    from geolocate.dataset.versions import open_dataset
    from geolocate.evaluation import zero_shot as asking
    from geolocate.training import load_run
    from geolocate.training.config import config_from_options

    chosen = config_from_options("default", {"seed": seed, "captions": captions})
    root = DataRoot(settings_from_environment().data)
    version = open_dataset(root, dataset)
    if run is not None:
        result = asking.transfer(root, load_run(root, run), version)
    else:
        config = asking.ZeroShotConfig(held_out, seed, chosen)
        result = asking.zero_shot(root, version, config)
    if as_json:
        typer.echo(json.dumps(result, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"{result['panoramas']} panoramas among {result['names']} names never trained on")
    for column in ("metric", "unit", *(name.replace("_", " ") for name in _SYSTEMS)):
        table.add_column(column, justify="left" if column in ("metric", "unit") else "right")
    for metric, (unit, scale) in _SHOWN.items():
        if metric in result["metrics"]:
            systems = result["metrics"][metric]
            table.add_row(metric.replace("_", " "), unit, *(_figure(systems[name], scale) for name in _SYSTEMS))
    console.print(table)
    if "held_out" in result:
        names = ", ".join(one["class_name"] for one in result["held_out"])
        console.print(f"held out by seed {result['seed']}: {names}", highlight=False, markup=False)
    console.print(
        f"run {result['run']}; [brackets] are 95 % intervals, resampled by class", highlight=False, markup=False
    )
    if result["world"] == "emulated":
        console.print("Emulated world: these figures show that the machinery works, and nothing else.", highlight=False)


def _figure(estimate: dict[str, Any], scale: float) -> str:
    value = f"{scale * estimate['value']:.1f}"
    if estimate["low"] is None:
        return value
    return f"{value} \\[{scale * estimate['low']:.1f}, {scale * estimate['high']:.1f}]"
