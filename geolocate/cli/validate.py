"""`geolocate data validate`: prove that a collection reconciles."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from geolocate.cli.options import AsJson, Verify
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    from geolocate.collection.reconcile import ValidationReport

LOOKED = {"none": "not looked for", "size": "each of the right size", "hash": "each of the right hash, every byte read"}


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
        for line in _totals(report):
            typer.echo(f"  {line}")
    report.raise_if_broken()


def _totals(report: "ValidationReport") -> list[str]:
    """Say which totals are the same."""
    ended = ", ".join(f"{points} {status}" for status, points in report.statuses.items())
    bill = report.bill
    lines = [
        f"{report.points} planned points = {report.points} outcomes: {ended}",
        f"{report.images} manifest rows = pictures in the ledger = files in the store, {LOOKED[report.verify]}",
        f"{bill.answered + bill.doubtful} requests for pictures are paid, ${bill.micro_usd / 1e6:.2f} at list price; "
        f"{bill.doubtful} of them without an answer, which count as paid",
    ]
    if report.billed is not None:
        lines.append(f"the emulator has billed {report.billed} requests, as the ledger of this data root says")
    return lines
