"""Show how a collection ended: how the points did, which pictures are missing, what was asked and paid.

In: the collection's summary. Out: a table and some lines, or JSON.
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from geolocate.records import ImageReason, OutcomeStatus, World

if TYPE_CHECKING:
    from geolocate.collection.records import CollectionSummary

_CAP = (
    "a cap was reached: {images:,} pictures are missing; run the same command with a higher --budget-usd or "
    "--max-images to go on, nothing is paid twice"
)
#: Other outcomes that another run takes up again, and what to do before.
_TO_GO_ON = {
    OutcomeStatus.FAILED: "{points:,} points have failed: run the same command again to go on",
    OutcomeStatus.REFUSED: (
        "{points:,} points were refused: see to the key, its quota and its rights, then run the same command again"
    ),
}


def show_summary(summary: "CollectionSummary", *, as_json: bool) -> None:
    """Print the summary on standard output."""
    if as_json:
        typer.echo(json.dumps(asdict(summary), indent=2))
        return
    console = Console()
    world = f"{summary.world} world"
    table = Table("outcome", "points", title=f"{summary.name}: {summary.region}, {summary.provider}, {world}")
    for status, points in summary.statuses.items():
        table.add_row(status, f"{points:,}")
    table.add_row("total", f"{summary.points:,}", style="bold")
    console.print(table)
    for reason, images in summary.reasons.items():
        console.print(f"  {images:,} pictures are missing: {reason}")
    for line in (*_asked_and_paid(summary), *_going_on(summary)):
        console.print(line, soft_wrap=True)


def _asked_and_paid(summary: "CollectionSummary") -> list[str]:
    price = "would have cost" if summary.world == World.EMULATED else "cost"
    paid = f", which {price} ${summary.price_usd:.2f}" if summary.provider.startswith("google") else ""
    return [
        f"{summary.images:,} images of {summary.panoramas:,} panoramas, {summary.bytes / 1e6:.1f} MB",
        f"this run sent {summary.run_metadata_requests:,} metadata and {summary.run_image_requests:,} image requests",
        f"all runs: {summary.metadata_requests:,} metadata requests (free), {summary.image_requests:,} image "
        f"requests{paid}{' at list price' if paid else ''}",
    ]


def _going_on(summary: "CollectionSummary") -> list[str]:
    ended = summary.statuses
    capped = summary.reasons.get(ImageReason.OVER_BUDGET, 0)
    lines = [_CAP.format(images=capped)] if capped else []
    return lines + [text.format(points=ended[status]) for status, text in _TO_GO_ON.items() if status in ended]
