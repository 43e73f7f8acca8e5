"""`geolocate set …`: publish dataset versions and look at them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from geolocate.cli import difference, export, labels, partition, rebuild, refresh
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

app = typer.Typer(help="Publish labelled dataset versions and look at them.", no_args_is_help=True)

for command in (labels, partition, difference, export, refresh, rebuild):
    command.register(app)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def register(parent: typer.Typer) -> None:
    """Add the group to the command line."""
    parent.add_typer(app, name="set")


@app.command()
def publish(
    collections: Annotated[list[str], typer.Argument(help="Finished collections, all of one world.")],
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    region: Annotated[str, typer.Option(help="The region, by name or by file.")] = "uk",
    level: Annotated[str, typer.Option(help="What a class is: city, cell or town.")] = "city",
    top: Annotated[int, typer.Option(help="How many of the largest places are cities.")] = 50,
    cell_km: Annotated[float, typer.Option(help="Side of a cell in kilometres.")] = 50.0,
    overrides: Annotated[Path | None, typer.Option(help="A table of suburb overrides of your own.")] = None,
) -> None:
    """Label, split and publish collections as an immutable version.

    Example: geolocate set publish uk-cities-50-n18-s0 --name uk-cities-50 --top 50
    """
    from pydantic import ValidationError

    from geolocate.dataset import PublishRequest, open_dataset
    from geolocate.dataset import publish as publish_version
    from geolocate.dataset.splits import cost_lines
    from geolocate.errors import DatasetError, first_mistake

    try:
        request = PublishRequest(
            name=name,
            collections=tuple(collections),
            region=region,
            level=level,
            top=top,
            cell_km=cell_km,
            suburb_overrides=overrides,
        )
    except ValidationError as error:
        raise DatasetError(first_mistake(error)) from None
    root = DataRoot(settings_from_environment().data)
    ref = publish_version(root, request)
    version = open_dataset(root, str(ref))
    typer.echo(f"{ref}: {version.card['images']} images, {len(version.classes)} classes, in {version.path}")
    names = version.classes.set_index("class_id")["class_name"]
    for line in cost_lines(version.card["splits"], names, version.card["panoramas_without_class"]):
        typer.echo(f"  {line}")


@app.command()
def show(dataset: Annotated[str, typer.Argument(help="NAME or NAME@VERSION.")], as_json: AsJson = False) -> None:
    """Show what a dataset version holds.

    Example: geolocate set show uk-cities-50
    """
    from geolocate.dataset import open_dataset
    from geolocate.dataset.cards import card_lines

    version = open_dataset(DataRoot(settings_from_environment().data), dataset)
    if as_json:
        typer.echo(json.dumps(dict(version.card), indent=2, sort_keys=True))
        return
    card = version.card
    table = Table(title=f"{version.ref} ({version.world} world)", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, line in card_lines(card).items():
        table.add_row(name, line)
    for sentence in card["biases"]:
        table.add_row("known bias", sentence)
    table.add_row("collections", ", ".join(card["collections"]))
    table.add_row("ground partition", version.partition_version)
    table.add_row("sha256", version.ref.sha256)
    table.add_row("card", str(version.path / "card.html"))
    table.add_row("pictures to look at", str(version.path / "quality.html"))
    Console().print(table)
