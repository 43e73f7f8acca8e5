"""The command line: one module a group of commands, and one place where an error becomes one line.

Modules are imported when the command line is built; what is slow to import is imported by the command that needs it.
"""

import typer

from geolocate.cli import data, dataset, emulator, lineage, model, predict, region
from geolocate.errors import GeolocateError

INTERRUPTED = 130


def build() -> typer.Typer:
    """Put the groups together."""
    app = typer.Typer(
        help="Street-level image geolocation for restricted regions, from collecting data to a model.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for group in (region, data, dataset, model, predict, lineage, emulator):
        group.register(app)
    return app


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 1."""
    try:
        build()()
    except GeolocateError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
    except SystemExit as end:
        # Typer has caught Ctrl-C before us, and ends with this code and no word.
        if end.code == INTERRUPTED:
            typer.echo("interrupted: finished work is kept, run the same command again to go on", err=True)
        raise
