"""`geolocate data plan`: what a collection would take, before anything is sent."""

import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from geolocate.cli.options import AsJson, Provider, Sample, spread
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    import pandas as pd

    from geolocate.collection.estimate import Estimate
    from geolocate.records import View
    from geolocate.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


@spread
def plan(
    sample: Sample,
    from_ids: Annotated[
        Path | None, typer.Option(help="Price the panoramas that a file of `geolocate data export-ids` names.")
    ] = None,
    provider: Provider = None,
    out: Annotated[Path | None, typer.Option(help="Write the plan as .parquet (GeoParquet) or .geojson.")] = None,
    map_file: Annotated[Path | None, typer.Option("--map", help="Draw the points on a map, a .png.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how many points, requests and dollars a collection would take; nothing is sent.

    Example: geolocate data plan --region uk --kind cities --top 50 --per-place 18 --map plan.png
    """
    from geolocate.collection.estimate import estimate
    from geolocate.collection.points import write_plan
    from geolocate.providers.registry import source_of

    settings = settings_for(provider)
    source = source_of(settings)
    if source.check is not None:  # a key or an agreement is not needed yet, the folder of photos is
        source.check(settings, None)
    planned, views = plan_and_views(sample, from_ids, settings)
    if out:
        write_plan(planned, out)
    if map_file:
        _draw(sample.region, planned, map_file)
    expected = estimate(planned, DataRoot(settings.data), settings, sample.region, views)
    if as_json:
        typer.echo(json.dumps(asdict(expected), indent=2))
    else:
        _show(expected)


def _show(expected: "Estimate") -> None:
    """Print a table of what is expected and what it may come to, and the lines that say what they rest on."""
    title = f"{expected.provider}, {expected.world} world; nothing has been sent"
    table = Table("", "expected", "at most, asked once", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, usual, most in _rows(expected):
        table.add_row(name, usual, most)
    console = Console()
    console.print(table)
    for line in _notes(expected):
        console.print(line, soft_wrap=True, highlight=False)


def _rows(expected: "Estimate") -> list[tuple[str, str, str]]:
    most = f"{expected.points:,}"
    rows = [
        (f"points in {expected.groups:,} groups", most, most),
        ("panoramas", f"{expected.panoramas_expected:,}", f"{expected.panoramas_at_most:,}"),
        (
            "metadata requests, free",
            f"{expected.metadata_requests_expected:,}",
            f"{expected.metadata_requests_at_most:,}",
        ),
        ("image requests", f"{expected.image_requests_expected:,}", f"{expected.image_requests_at_most:,}"),
    ]
    if expected.list_price_usd_per_1000:
        rows += [
            ("price at list, US$", f"{expected.price_usd_at_list:,.2f}", f"{expected.price_usd_at_most:,.2f}"),
            ("price with the month's discounts, US$", f"{expected.price_usd_expected:,.2f}", ""),
        ]
    return [*rows, ("duration", str(timedelta(seconds=expected.seconds_expected)), "")]


def _notes(expected: "Estimate") -> list[str]:
    notes = [f"imagery: {expected.hit_basis}"]
    if expected.points_known:
        notes.append(
            f"the ledger has the answers for {expected.points_known:,} points and {expected.images_known:,} pictures: "
            "they are not asked for again"
        )
    if expected.list_price_usd_per_1000:
        notes.append(
            f"price: ${expected.list_price_usd_per_1000:.2f} per 1,000 images, which caps reckon with; discounts: the "
            "month's first 10,000 free (as practitioners say), $5.60 beyond 100,000; "
            f"{expected.billed_this_month:,} billed this month in this data root"
        )
        notes.append(
            "at most is without retries: a paid answer that is no picture is asked for again; if all were, "
            f"${expected.price_usd_at_most_with_retries:,.2f}. What ends a run at a sum is --budget-usd"
        )
    slow, fast = expected.images_per_second_lately, expected.requests_per_second
    pace = f"{fast:,.0f} requests a second, as the provider allows"
    if slow is not None and slow < fast:
        pace += f"; {slow:,.0f} images a second, as this machine did lately"
    return [*notes, f"duration: {pace}"]


def plan_and_views(
    sample: Sample, from_ids: Path | None, settings: "Settings"
) -> "tuple[pd.DataFrame, tuple[View, ...]]":
    """Return the sample with the standard views, or what a file of IDs names."""
    from geolocate.collection.pano_ids import plan_of_ids
    from geolocate.collection.records import STANDARD_VIEWS
    from geolocate.errors import PlanError

    if from_ids is None:
        return plan_of(sample), STANDARD_VIEWS
    if sample.given or sample.points:
        raise PlanError("--from-ids names the panoramas: leave the options that draw or read points out")
    wanted = plan_of_ids(from_ids, sample.region, settings)
    return wanted.plan, wanted.views


def plan_of(sample: Sample) -> "pd.DataFrame":
    """Draw the sample that was asked for, or take the points that a table names."""
    from pydantic import ValidationError

    from geolocate.collection.plan import PlanRequest, make_plan
    from geolocate.collection.points import plan_of_points, read_points
    from geolocate.errors import PlanError, first_mistake

    if sample.points and sample.given:
        first = next(iter(sample.given)).replace("_", "-")
        raise PlanError(f"--{first} is for drawing a sample, --points takes a table of points: leave one of them out")
    if sample.points:
        return plan_of_points(read_points(sample.points))
    try:
        return make_plan(PlanRequest(region=sample.region, **sample.given))
    except ValidationError as error:
        raise PlanError(first_mistake(error)) from None


def settings_for(provider: str | None) -> "Settings":
    """Read the settings; a provider that is named on the command line goes before GEOLOCATE_PROVIDER."""
    return settings_from_environment(**({"provider": provider} if provider is not None else {}))


def _draw(region: str, planned: "pd.DataFrame", path: Path) -> None:
    """Draw each point's first position, groups in changing colours."""
    from geolocate.geography.maps import draw_points
    from geolocate.geography.regions import load_region

    points, where = planned[planned["draw"] == 0], load_region(region)
    title = f"{where.title}: {len(points):,} points in {points['group_id'].nunique():,} groups"
    draw_points(where, points["lat"], points["lon"], path, colour_by=points["group_id"], title=title)
