"""`geolocate set diff`: what changed between two dataset versions."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    import pandas as pd

#: Lines of a table; the whole is in the JSON.
_SHOWN = 20


def register(set_app: typer.Typer) -> None:
    """Add the command to the group of datasets."""
    set_app.command()(diff)


def diff(
    before: Annotated[str, typer.Argument(help="NAME@VERSION, or NAME for its newest.")],
    after: Annotated[str, typer.Argument(help="NAME@VERSION, or NAME for its newest.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, with every class.")] = False,
) -> None:
    """Show which images were added, removed, changed or forgotten from one version to another.

    Example: geolocate set diff uk-cities-50@13cfde618bc1 uk-cities-50@c19261da998c
    """
    from geolocate.dataset.difference import compare_versions

    found = compare_versions(DataRoot(settings_from_environment().data), before, after)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(f"{found.before} → {found.after}", highlight=False, markup=False)
    for name, (old, new) in found.settings.items():
        console.print(f"  {name}: {old} → {new}", highlight=False, markup=False)
    changed = {aspect: images for aspect, images in found.aspects.items() if images}
    counts = ", ".join(f"{fate} {images:,}" for fate, images in found.totals.items())
    console.print(f"images: {counts}", highlight=False)
    places = ", ".join(f"{fate} {number:,}" for fate, number in found.places.items())
    console.print(f"places: {places}", highlight=False)
    if changed:
        console.print(f"changed in: {', '.join(f'{name} {n:,}' for name, n in changed.items())}", highlight=False)
    for what in ("part", "class"):
        console.print(_table(f"images by {what}", found.by(what)))
        moves = found.moves(what)
        if len(moves):
            console.print(_table(f"moved to another {what}", moves))


def _table(title: str, rows: "pd.DataFrame") -> Table:
    more = f" (the first {_SHOWN} of {len(rows)})" if len(rows) > _SHOWN else ""
    table = Table(title=f"{title}{more}")
    for name, values in rows.items():
        table.add_column(str(name), justify="right" if values.dtype.kind in "iu" else "left")
    for row in rows.head(_SHOWN).itertuples(index=False):
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    return table
