"""`geolocate model sweep`: search for better training settings on val ground."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    from geolocate.training.sweep import Sweep, Trial


def register(model_app: typer.Typer) -> None:
    """Add the command to the group of models."""
    model_app.command()(sweep)


def sweep(
    dataset: Annotated[str, typer.Option(help="NAME (its newest version) or NAME@VERSION.")],
    name: Annotated[
        str | None, typer.Option(help="The sweep's name; made from dataset and options if left out.")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of before included.")] = 20,
    recipe: Annotated[
        str, typer.Option(help="What every trial starts from, as in `geolocate model train`.")
    ] = "default",
    epochs: Annotated[int | None, typer.Option(help="Epochs at most, of each trial.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field of every trial as NAME=VALUE.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is proposed; `--set seed=1` is the training's.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Search for the weight decay, patience, factor and learning rates that do best on val ground.

    Interrupted, the same command goes on; with more --trials it searches on. The test ground is never read.

    Example: geolocate model sweep --dataset uk-cities-50 --trials 20
    """
    from geolocate.cli.model import pairs
    from geolocate.dataset.versions import open_dataset
    from geolocate.evaluation.val_distance import val_distance
    from geolocate.reporting.sweeps import write_sweep_figure
    from geolocate.training import config_from_options
    from geolocate.training.sweep import Sweep, SweepConfig, default_sweep_name

    options = pairs(setting or []) | ({} if epochs is None else {"epochs": epochs})
    root = DataRoot(settings_from_environment().data)
    version = open_dataset(root, dataset)
    config = SweepConfig(base=config_from_options(recipe, options), trials=trials, seed=seed)
    search = Sweep(root, name or default_sweep_name(version.ref, config), version, config)
    while trial := search.ask():
        outcome = search.run(trial, val_distance(version))
        typer.echo(f"trial {trial.number + 1} of {trials}: {outcome}{_figure(search, trial)}", err=True)
    chosen = search.finish()
    figure = write_sweep_figure(search)
    if as_json:
        result = {"sweep": search.name, "trial": chosen.number, "run": chosen.run, "config": _settings(search, chosen)}
        typer.echo(json.dumps(result | {"chosen": str(search.folder / "chosen.json"), "figure": figure}, indent=2))
        return
    _tell(search, chosen, dataset)


def _tell(search: "Sweep", chosen: "Trial", dataset: str) -> None:
    outcomes = search.table()["outcome"].value_counts()
    typer.echo(f"sweep {search.name}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    settings = ", ".join(f"{name} {value:.4g}" for name, value in _settings(search, chosen).items())
    typer.echo(f"  chosen: trial {chosen.number + 1}{_figure(search, chosen)}: {settings}")
    typer.echo(f"  {search.folder}/: chosen.json, trials.csv, sweep.png")
    typer.echo(f"  next: geolocate model train --dataset {dataset} --config {search.folder}/chosen.json")


def _figure(search: "Sweep", trial: "Trial") -> str:
    row = search.table().iloc[trial.number]
    select_by = search.config.base.select_by
    return "" if row["epochs"] == 0 else f", {select_by} {row[select_by]:.4g} at best in {row['epochs']} epochs"


def _settings(search: "Sweep", trial: "Trial") -> dict[str, float]:
    return {name: getattr(trial.config, name) for name in search.config.space}
