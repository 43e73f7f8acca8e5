"""``geolocate model …``: train models, and see how good they are."""

import json
from pathlib import Path
from typing import Annotated

import typer

from geolocate.cli import baseline, evaluate, sweep, zero_shot
from geolocate.errors import SettingsError
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot, read_json

model_app = typer.Typer(help="Train models, evaluate them beside chance, and compare them.", no_args_is_help=True)
evaluate.register(model_app)
sweep.register(model_app)
baseline.register(model_app)
zero_shot.register(model_app)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(model_app, name="model")


_EPILOG = (
    "Example: geolocate model train --dataset uk-cities-50 --seed 1. "
    "The study's recipe: geolocate model train --dataset uk-cities-50 --recipe study "
    "--image-encoder resnet50=weights/resnet50.pth --text-encoder distilbert=weights/distilbert"
)


@model_app.command(epilog=_EPILOG)
def train(
    dataset: Annotated[str, typer.Option(help="NAME (its newest version) or NAME@VERSION.")],
    run: Annotated[str | None, typer.Option(help="The run's name; made from dataset and options if left out.")] = None,
    recipe: Annotated[str, typer.Option(help="What the other options start from: default or study.")] = "default",
    image_encoder: Annotated[
        str | None,
        typer.Option(help="efficientnet-lite0-stages, efficientnet-lite0 or resnet50; NAME=FILE for local weights."),
    ] = None,
    text_encoder: Annotated[
        str | None, typer.Option(help="minilm or distilbert; NAME=FOLDER for local weights.")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="infonce, or study for the study's own.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs at most; training stops when val no longer gains.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    freeze_image: Annotated[
        bool | None, typer.Option("--freeze-image/--tune-image", help="Keep the image encoder as it is, or train it.")
    ] = None,
    freeze_text: Annotated[
        bool | None, typer.Option("--freeze-text/--tune-text", help="Keep the text encoder as it is, or train it.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field as NAME=VALUE, such as lr_heads=0.002.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A JSON file of fields, such as a sweep's chosen.json; other options come on top.",
        ),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard's files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train CLIP on a dataset version; an interrupted run goes on where it was, a finished one is left alone."""
    named = {
        "image_encoder": image_encoder,
        "text_encoder": text_encoder,
        "loss": loss,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "freeze_image": freeze_image,
        "freeze_text": freeze_text,
    }
    options = {name: value for name, value in named.items() if value is not None}
    fields = {**(_from_file(config) if config else {}), **pairs(setting or []), **options}
    _train(dataset, run, recipe, fields, tensorboard=tensorboard, as_json=as_json)


def pairs(settings: list[str]) -> dict[str, object]:
    """Read NAME=VALUE texts. Raises SettingsError for one without =."""
    pairs: dict[str, object] = {}
    for text in settings:
        name, separator, value = text.partition("=")
        if not separator:
            raise SettingsError(f"--set {text!r}: write NAME=VALUE")
        pairs[name] = value
    return pairs


def _from_file(path: Path) -> dict[str, object]:
    fields = read_json(path)
    if not isinstance(fields, dict):
        raise SettingsError(f'{path} holds no fields: give a JSON object, such as {{"lr_heads": 0.002}}')
    return fields


def _train(
    dataset: str, run: str | None, recipe: str, options: dict[str, object], *, tensorboard: bool, as_json: bool
) -> None:
    from geolocate.dataset.versions import open_dataset
    from geolocate.evaluation.val_distance import val_distance
    from geolocate.training import config_from_options, default_run_name, run_state
    from geolocate.training import train as train_run
    from geolocate.training.live_curves import telling_epochs, tensorboard_epochs
    from geolocate.training.loop import TrainProgress

    config = config_from_options(recipe, options)
    root = DataRoot(settings_from_environment().data)
    version = open_dataset(root, dataset)
    name = run or default_run_name(version.ref, config)
    state = run_state(root, name)
    progress: TrainProgress = _Lines()
    if tensorboard:
        progress = telling_epochs(root.run(name), tensorboard_epochs(root.run(name)), progress)
    trained = train_run(root, version, config, name, progress, val_distance(version))
    best = trained.curves.iloc[trained.best_epoch - 1]
    if as_json:
        result = {"run": name, "path": str(trained.path), "dataset": str(version.ref), "epochs": trained.epochs}
        typer.echo(json.dumps(result | {key: float(value) for key, value in best.items()}, indent=2, sort_keys=True))
        return
    typer.echo(f"run {name} was finished before: nothing to train" if state == "finished" else f"run {name} is trained")
    typer.echo(
        f"  {version.ref}, {version.world} world, {len(trained.classes)} classes; best epoch {trained.best_epoch} of "
        f"{trained.epochs}: val accuracy {best['val_accuracy']:.3f}, "
        f"val mean {best['val_mean_km']:.0f} km"
    )
    typer.echo(f"  {trained.path}/: checkpoint.safetensors, checkpoint.json, curves.csv")
    typer.echo(f"  next: geolocate model evaluate {name}")


class _Lines:
    """Progress as lines on standard error, a twentieth of a stage each."""

    def __init__(self) -> None:
        self._told = ("", -1)

    def __call__(self, stage: str, done: int, total: int) -> None:
        twentieth = (stage, 20 * done // total)
        if twentieth != self._told:
            self._told = twentieth
            typer.echo(f"{stage}: {done} of {total}", err=True)
