"""`geolocate data …`: plan, collect, import, validate and forget pictures; a command is a module."""

import typer

from geolocate.cli import collect, export_ids, forget, importing, plan, validate

app = typer.Typer(help="Plan, collect, import, validate and forget pictures.", no_args_is_help=True)
for command in (plan, collect, importing, validate, export_ids, forget):
    command.register(app)


def register(parent: typer.Typer) -> None:
    """Add the group to the command line."""
    parent.add_typer(app, name="data")
