"""`geolocate set refresh`: ask again what became of a dataset's places, buy the difference, publish a version."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from geolocate.cli.options import AsJson, spread
from geolocate.cli.progress import shown_progress
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    import pandas as pd

    from geolocate.dataset.refreshing import Refreshed, RefreshPlan

#: Lines of a table; the whole is in the JSON.
_SHOWN = 20


def register(set_app: typer.Typer) -> None:
    """Add the command to the group of datasets."""
    set_app.command()(refresh)


@dataclass(frozen=True)
class Which:
    """Which places are asked again, and what may be spent."""

    group: Annotated[list[str] | None, typer.Option(help="Only this city or cell, by id or name; repeat for more.")] = (
        None
    )
    captured_before: Annotated[
        str, typer.Option(help="Only imagery older than this date, such as 2020 or 2024-06.")
    ] = ""
    budget_usd: Annotated[float | None, typer.Option(help="Never spend more, over all runs of this refresh.")] = None
    max_images: Annotated[int | None, typer.Option(help="Never ask for more images, over all its runs.")] = None
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Requests under way at once.")] = 64


@spread
def refresh(
    dataset: Annotated[str, typer.Argument(help="NAME, its newest version, or NAME@VERSION.")],
    which: Which,
    anew: Annotated[
        bool, typer.Option("--anew", help="Give up what an unfinished refresh has found, and ask again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask and price, free of charge; buy nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask again for each place of a dataset, show what differs and its price, buy that, and publish a version.

    Example: geolocate set refresh uk-cities-50 --dry-run
    """
    from geolocate.collection.rounds import Scope
    from geolocate.dataset.refreshing import (
        RefreshCaps,
        RefreshPlan,
        begin_refresh,
        buy,
        check_plan,
        look,
        publish_refresh,
        request_in,
    )

    settings = settings_from_environment()
    root = DataRoot(settings.data)
    caps = RefreshCaps(which.budget_usd, which.max_images, which.concurrency)
    scope = Scope(tuple(which.group or ()), which.captured_before)
    begun = begin_refresh(root, dataset, settings, scope, "anew" if anew else "resume")
    plans = []
    for one in begun.rounds:
        with shown_progress(root, one.name) as progress:
            plans.append(look(root, one, request_in(root, begun, one, settings, caps), progress))
    plan = RefreshPlan(begun.before, tuple(plans))
    if not as_json:
        _show_plan(plan)
    if dry_run:
        _end(plan, None, as_json=as_json)
        return
    check_plan(root, plan)
    for one in begun.rounds:
        with shown_progress(root, one.name) as progress:
            buy(root, one, request_in(root, begun, one, settings, caps), progress)
    _end(plan, publish_refresh(root, begun), as_json=as_json)


def _end(plan: "RefreshPlan", done: "Refreshed | None", *, as_json: bool) -> None:
    if as_json:
        typer.echo(
            json.dumps({"plan": plan.to_json(), "refreshed": done and done.to_json()}, indent=2, ensure_ascii=False)
        )
    elif done is None:
        typer.echo("nothing was bought; the same command without --dry-run buys this and publishes")
    else:
        _show_done(done)


def _show_plan(plan: "RefreshPlan") -> None:
    world = plan.rounds[0].world
    console = Console()
    console.print(f"{plan.before} ({world} world)", highlight=False, markup=False)
    console.print(f"points: {_counts(plan.points)}", highlight=False)
    for one in plan.rounds:
        if len(one.groups):
            console.print(_table(f"{one.of} → {one.name}: points by place", one.groups.drop(columns="group_id")))
    price = "would cost" if world == "emulated" else "cost"
    console.print(
        f"{plan.metadata_requests:,} metadata requests (free); {plan.image_requests:,} image requests, which {price} "
        f"${plan.price_usd_at_list:,.2f} at list price",
        highlight=False,
        soft_wrap=True,
    )


def _show_done(done: "Refreshed") -> None:
    console = Console()
    if done.after == done.before:
        console.print(f"nothing has changed: {done.after} stays the newest version", highlight=False, markup=False)
        return
    console.print(f"{done.before} → {done.after}", highlight=False, markup=False)
    console.print(f"panoramas: {_counts(done.changes.totals)}", highlight=False)
    table = done.changes.by_class()
    if len(table):
        console.print(_table("panoramas by class", table.drop(columns="class_id")))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def _table(title: str, rows: "pd.DataFrame") -> Table:
    more = f" (the first {_SHOWN} of {len(rows)})" if len(rows) > _SHOWN else ""
    table = Table(title=f"{title}{more}")
    for name, values in rows.items():
        table.add_column(str(name), justify="right" if values.dtype.kind in "iu" else "left")
    for row in rows.head(_SHOWN).itertuples(index=False):
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    return table
