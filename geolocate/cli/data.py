"""`geolocate data …`: plan, collect, import, validate and forget pictures."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from geolocate.cli import forget
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    import pandas as pd

    from geolocate.collection.collect import PhaseProgress
    from geolocate.collection.records import CollectionSummary

app = typer.Typer(help="Plan, collect, import, validate and forget pictures.", no_args_is_help=True)
forget.register(app)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[str, typer.Option(help="The collection's name; the same command again goes on where it stopped.")]
Region = Annotated[str, typer.Option(help="The region, by name or by file.")]
Kind = Annotated[str | None, typer.Option(help="What is sampled: cities (usual), grid, population or uniform.")]
Top = Annotated[int | None, typer.Option(help="How many of the largest places, for cities; usually 50.")]
CellKm = Annotated[float | None, typer.Option(help="Side of a cell in kilometres, for grid.")]
PerPlace = Annotated[int | None, typer.Option(help="Points a city or cell, for cities and grid; usually 18.")]
Total = Annotated[int | None, typer.Option(help="Points in all, for population and uniform; usually 2000.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same points on any machine; usually 0.")]
Points = Annotated[
    Path | None, typer.Option(help="Take the points from this table (lat, lon, town) instead of drawing a sample.")
]
Verify = Literal["none", "size", "hash"]
PHASES = {"find": "finding panoramas", "fetch": "fetching pictures"}


def register(parent: typer.Typer) -> None:
    """Add the group to the command line."""
    parent.add_typer(app, name="data")


@app.command()
def plan(
    region: Region = "uk",
    kind: Kind = None,
    top: Top = None,
    cell_km: CellKm = None,
    per_place: PerPlace = None,
    total: Total = None,
    seed: Seed = None,
    points: Points = None,
    out: Annotated[Path | None, typer.Option(help="Write the plan as .parquet (GeoParquet) or .geojson.")] = None,
    map_file: Annotated[Path | None, typer.Option("--map", help="Draw the points on a map, a .png.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how many points, requests and dollars a collection would take; nothing is sent.

    Example: geolocate data plan --region uk --kind cities --top 50 --per-place 18 --map plan.png
    """
    from geolocate.collection.estimate import estimate
    from geolocate.collection.points import write_plan

    options = {"kind": kind, "top": top, "cell_km": cell_km, "per_place": per_place, "total": total, "seed": seed}
    planned = _plan(region, points, options)
    if out:
        write_plan(planned, out)
    if map_file:
        _draw(region, planned, map_file)
    expected = asdict(estimate(planned))
    if as_json:
        typer.echo(json.dumps(expected, indent=2))
        return
    table = Table("what", "how much", title="plan; nothing has been sent")
    for name, value in expected.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    Console().print(table)


@app.command()
def collect(
    name: Name,
    region: Region = "uk",
    kind: Kind = None,
    top: Top = None,
    cell_km: CellKm = None,
    per_place: PerPlace = None,
    total: Total = None,
    seed: Seed = None,
    points: Points = None,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Never spend more, over all runs.")] = None,
    max_images: Annotated[int | None, typer.Option(min=0, help="Never ask for more images, over all runs.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Requests under way at once.")] = 64,
    as_json: AsJson = False,
) -> None:
    """Collect panoramas and their pictures; what is there is kept, and nothing is paid twice.

    Example: geolocate data collect --name uk-cities --region uk --kind cities --top 50 --per-place 18 --budget-usd 20
    """
    from geolocate.collection import CollectRequest
    from geolocate.collection import collect as collect_all

    options = {"kind": kind, "top": top, "cell_km": cell_km, "per_place": per_place, "total": total, "seed": seed}
    planned = _plan(region, points, options)
    settings = settings_from_environment()
    request = CollectRequest(
        name, settings, region, budget_usd=budget_usd, max_images=max_images, concurrency=concurrency
    )
    with _bars() as progress:
        summary = collect_all(DataRoot(settings.data), request, planned, progress)
    _show(summary, as_json)


@app.command(name="import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Photographs with EXIF GPS, or with a positions.csv beside them.")],
    name: Name,
    license: Annotated[str, typer.Option(help="SPDX id of the pictures' licence.")],  # noqa: A002 - the option's name
    attribution: Annotated[str, typer.Option(help="Whom to name beside each picture.")],
    region: Region = "uk",
    basis: Annotated[str, typer.Option(help="own, open-licence or agreement:REFERENCE.")] = "own",
    as_json: AsJson = False,
) -> None:
    """Bring your own photographs in, each as one panorama with one view.

    Example: geolocate data import ~/photos --name mine --region uk --license CC-BY-4.0 --attribution "Ann Example"
    """
    from geolocate.collection.importing import PhotoFolder, import_photos, owner_rights

    root = DataRoot(settings_from_environment().data)
    photos = PhotoFolder(folder, region, owner_rights(license, attribution, basis))
    with _bars() as progress:
        summary, without_position = import_photos(root, name, photos, progress)
    if without_position:
        typer.echo(f"{without_position} photographs have no position and were left out", err=True)
    _show(summary, as_json)


@app.command()
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


def _plan(region: str, points: Path | None, options: dict[str, Any]) -> "pd.DataFrame":
    """Draw the sample that was asked for, or take the points that a table names; None is an option not given."""
    from pydantic import ValidationError

    from geolocate.collection.plan import PlanRequest, make_plan
    from geolocate.collection.points import plan_of_points, read_points
    from geolocate.errors import PlanError, first_mistake

    given = {name: value for name, value in options.items() if value is not None}
    if points and given:
        first = next(iter(given)).replace("_", "-")
        raise PlanError(f"--{first} is for drawing a sample, --points takes a table of points: leave one of them out")
    if points:
        return plan_of_points(read_points(points))
    try:
        return make_plan(PlanRequest(region=region, **given))
    except ValidationError as error:
        raise PlanError(first_mistake(error)) from None


def _draw(region: str, planned: "pd.DataFrame", path: Path) -> None:
    """Draw each point's first position, groups in changing colours."""
    from geolocate.geography.maps import draw_points
    from geolocate.geography.regions import load_region

    points, where = planned[planned["draw"] == 0], load_region(region)
    title = f"{where.title}: {len(points):,} points in {points['group_id'].nunique():,} groups"
    draw_points(where, points["lat"], points["lon"], path, colour_by=points["group_id"], title=title)


@contextmanager
def _bars() -> "Iterator[PhaseProgress]":
    """Show one bar a phase on standard error, so that standard output holds the result only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(PHASES[phase], total=total)
            bars.update(tasks[phase], completed=done, total=total)

        yield tell


def _show(summary: "CollectionSummary", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(summary), indent=2))
        return
    world = "emulated world" if summary.world == "emulated" else "real world"
    table = Table("outcome", "points", title=f"{summary.name}: {summary.region}, {summary.provider}, {world}")
    for status, points in summary.statuses.items():
        table.add_row(status, f"{points:,}")
    table.add_row("total", f"{summary.points:,}", style="bold")
    console = Console()
    console.print(table)
    for reason, images in summary.reasons.items():
        console.print(f"  {images:,} pictures are missing: {reason}")
    price = "would have cost" if summary.world == "emulated" else "cost"
    console.print(
        f"{summary.images:,} images of {summary.panoramas:,} panoramas, {summary.bytes / 1e6:.1f} MB\n"
        f"this run sent {summary.run_metadata_requests:,} metadata and {summary.run_image_requests:,} image requests\n"
        f"all runs: {summary.metadata_requests:,} metadata requests (free), {summary.image_requests:,} image requests, "
        f"which {price} ${summary.price_usd:.2f} at Google's price"
    )
