"""`geolocate data plan`: what a collection would take, before anything is sent."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from geolocate.cli.options import AsJson, Provider, Sample, spread
from geolocate.settings import settings_from_environment

if TYPE_CHECKING:
    import pandas as pd

    from geolocate.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


@spread
def plan(
    sample: Sample,
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

    planned = plan_of(sample)
    if out:
        write_plan(planned, out)
    if map_file:
        _draw(sample.region, planned, map_file)
    expected = asdict(estimate(planned))
    if as_json:
        typer.echo(json.dumps(expected, indent=2))
        return
    table = Table("what", "how much", title="plan; nothing has been sent")
    for name, value in expected.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    Console().print(table)


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
