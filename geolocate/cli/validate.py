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
    as_json: AsJson = False,
) -> None:
    """Prove that plan, outcomes, manifest, store and ledger agree.

    Example: geolocate data validate uk-cities --verify size
    """
    from geolocate.collection import validate_collection

    report = validate_collection(DataRoot(settings_from_environment().data), name, verify)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    elif report.ok:
        size_mb = report.bytes / 1e6
        typer.echo(f"{name}: {report.points} points, {report.images} images, {size_mb:.1f} MB: everything agrees")
    report.raise_if_broken()
