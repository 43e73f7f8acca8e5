"""`geolocate set export`: copy a dataset version out, in a layout that other programs read."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

_FORMATS = "csv, imagefolder, webdataset, huggingface, geopackage, ukclip, ukcitiesclip."


def register(set_app: typer.Typer) -> None:
    """Add the command to the group of datasets."""
    set_app.command()(export)


def export(
    dataset: Annotated[str, typer.Argument(help="NAME or NAME@VERSION.")],
    format_name: Annotated[str, typer.Option("--format", help=_FORMATS)],
    out: Annotated[Path, typer.Option(help="The folder to make; one that is not empty is refused.")],
    pictures: Annotated[
        Literal["copy", "link", "inside", "none"] | None,
        typer.Option(help="csv, imagefolder: copy, or link (hard links to the store); csv: none."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Export a dataset version; rows whose rights forbid passing them on are refused.

    Example: geolocate set export uk-cities-50 --format huggingface --out ./uk-cities-50-hf
    """
    from geolocate.dataset.exporting import export_dataset

    root = DataRoot(settings_from_environment().data)
    with _bar() as tell:
        done = export_dataset(root, dataset, format_name, out, pictures, tell)
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=2))
        return
    behind = f"; {done.left_behind:,} that are in no part stay behind" if done.left_behind else ""
    typer.echo(f"{done.dataset}: {done.images:,} images as {done.format} in {out}{behind}")


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("exporting", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
