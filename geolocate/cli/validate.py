"""`geolocate data validate`: prove that a collection reconciles."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from geolocate.cli.options import AsJson, Verify
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate")(validate)


def validate(
    name: Annotated[str, typer.Argument(help="A finished collection.")],
    verify: Annotated[Verify, typer.Option(help="How far pictures are looked into: none, size or hash.")] = "hash",
    against: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An emulator asked by nobody but this data root: compare its bill too."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that plan, outcomes, manifest, store and ledger agree, and the bill of the emulator.

    Example: geolocate data validate uk-cities --verify size
    """
    from geolocate.collection import validate_collection

    report = validate_collection(DataRoot(settings_from_environment().data), name, verify, against)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    elif report.ok:
        size_mb = report.bytes / 1e6
        typer.echo(f"{name}: {report.points} points, {report.images} images, {size_mb:.1f} MB: everything agrees")
        if report.billed is not None:
            typer.echo(f"the emulator has billed {report.billed} requests, as the ledger says")
    report.raise_if_broken()
