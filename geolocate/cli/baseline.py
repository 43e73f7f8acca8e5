"""`geolocate model baseline NAME`: what simpler ways make of the same features."""

from typing import Annotated

import typer

from geolocate.cli.evaluate import AsJson, AsMarkdown, show
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot


def register(model_app: typer.Typer) -> None:
    """Add the command to the group of models."""
    model_app.command()(baseline)


def baseline(
    name: Annotated[str, typer.Argument(help="linear-probe, nearest-neighbour or lstm.")],
    dataset: Annotated[str, typer.Option(help="NAME (its newest version) or NAME@VERSION.")],
    image_encoder: Annotated[
        str,
        typer.Option(help="efficientnet-lite0-stages, efficientnet-lite0 or resnet50; NAME=FILE for local weights."),
    ] = "efficientnet-lite0-stages",
    pixels: Annotated[int | None, typer.Option(help="Side of the encoder's pictures; its own if left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is random.")] = 0,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Fit a baseline on a dataset's training places, tune it on val ground, and measure it like a run.

    Example: geolocate model baseline linear-probe --dataset uk-cities-50
    """
    from geolocate.dataset.versions import open_dataset
    from geolocate.evaluation.baseline_runs import BaselineConfig, evaluate_baseline

    root = DataRoot(settings_from_environment().data)
    config = BaselineConfig(image_encoder, pixels, seed)
    metrics = evaluate_baseline(root, open_dataset(root, dataset), name, config)
    show(root, metrics, as_json=as_json, as_markdown=as_markdown)
