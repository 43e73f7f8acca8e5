"""`geolocate region …`: look at regions, check them, and make one of your own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from geolocate.geography.outlines import InputFile

app = typer.Typer(help="Look at regions, check them, and make one of your own.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Which = Annotated[str, typer.Argument(metavar="REGION", help="A region's name, or the path of its .toml file.")]
_SHOWN = 10


def register(parent: typer.Typer) -> None:
    """Add the group to the command line."""
    parent.add_typer(app, name="region")


@app.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List the regions that travel with the library.

    Example: geolocate region list
    """
    from geolocate.geography.regions import load_region, region_names

    titles = {name: load_region(name).title for name in region_names()}
    if as_json:
        typer.echo(json.dumps(titles, indent=2))
        return
    for name, title in titles.items():
        typer.echo(f"{name}  {title}")


@app.command()
def show(
    region: Which,
    picture: Annotated[Path | None, typer.Option("--map", help="Draw land, cells and places into this PNG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a region holds.

    Example: geolocate region show uk --map uk.png
    """
    from geolocate.geography.inspection import describe_region
    from geolocate.geography.regions import load_region

    loaded = load_region(region)
    _print_facts(describe_region(loaded), f"region {loaded.name}", as_json)
    if picture:
        from geolocate.reporting.region_map import region_map
        from geolocate.storage import atomic_write

        with atomic_write(picture) as file:
            file.write(region_map(loaded))


@app.command()
def check(region: Which, as_json: AsJson = False) -> None:
    """Prove that a region's files load and agree; exit code 1 where they do not.

    Example: geolocate region check ./ireland/ireland.toml
    """
    from geolocate.errors import RegionError
    from geolocate.geography.inspection import check_region
    from geolocate.geography.regions import load_region

    findings = check_region(load_region(region))
    wrong = [finding for finding in findings if finding.is_wrong]
    if as_json:
        typer.echo(json.dumps([{"wrong": one.is_wrong, "what": one.what} for one in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'wrong' if finding.is_wrong else 'note'}: {finding.what}")
    if wrong:
        raise RegionError(f"region {region}: {len(wrong)} of {len(findings)} findings are wrong")
    if not as_json:
        typer.echo(f"region {region}: everything loads and agrees")


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Short name; the file will be NAME.toml.")],
    title: Annotated[str, typer.Option(help="Full name.")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 code, two capital letters.")],
    boundary: Annotated[Path, typer.Option(help="Polygons: GeoJSON, GeoPackage, Shapefile, TopoJSON, GeoParquet.")],
    boundary_source: Annotated[str, typer.Option(help="Publisher, date and licence of the boundary.")],
    places: Annotated[Path, typer.Option(help="CSV with name, lat, lon, population.")],
    places_source: Annotated[str, typer.Option(help="Publisher, date and licence of the places.")],
    neighbours: Annotated[Path | None, typer.Option(help="Polygons of land beside it that is not ours.")] = None,
    neighbours_source: Annotated[str, typer.Option(help="Publisher, date and licence of the neighbours.")] = "",
    admin: Annotated[Path | None, typer.Option(help="Polygons with admin1, admin1_name, admin2, admin2_name.")] = None,
    admin_source: Annotated[str, typer.Option(help="Publisher, date and licence of the admin units.")] = "",
    driving_side: Annotated[str, typer.Option(help="left or right.")] = "right",
    crs: Annotated[str | None, typer.Option(help="Equal-area CRS in metres; chosen if left out.")] = None,
    grid_km: Annotated[float | None, typer.Option(help="Usual side of a cell; suggested if left out.")] = None,
    coast_tolerance_m: Annotated[
        float | None, typer.Option(min=0, max=20000, help="How far off the coast still belongs. [4000, or 1000]")
    ] = None,
    input_crs: Annotated[str | None, typer.Option(help="CRS of files that do not say theirs.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend polygons that cross themselves.")] = False,
    out: Annotated[Path | None, typer.Option(help="The folder to make. [./NAME]")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a region of your own from a boundary and a table of places.

    Example: geolocate region make ireland --title Ireland --country IE --driving-side left
    --boundary ireland.geojson --boundary-source "Natural Earth 4.1.0, 2018, public domain"
    --places places.csv --places-source "GeoNames, 2026-07, CC BY 4.0"
    """
    from geolocate.geography.inspection import describe_region
    from geolocate.geography.making import RegionRecipe, make_region
    from geolocate.geography.outlines import InputFile

    def given(role: str, path: Path | None, source: str) -> "InputFile | None":
        return None if path is None else InputFile(path, _told(role, source), input_crs, repair)

    recipe = RegionRecipe(
        name=name,
        title=title,
        country=country,
        driving_side=_side(driving_side),
        boundary=InputFile(boundary, _told("boundary", boundary_source), input_crs, repair),
        places=InputFile(places, _told("places", places_source)),
        neighbours=given("neighbours", neighbours, neighbours_source),
        admin=given("admin", admin, admin_source),
        crs=crs,
        grid_km=grid_km,
        coast_tolerance_m=coast_tolerance_m,
    )
    made = make_region(recipe, out or Path(name))
    facts = {"file": str(made.file), **describe_region(made.region), "places left out": len(made.left_out)}
    _print_facts(facts, f"made region {name}", as_json)
    for place in made.left_out.head(_SHOWN).itertuples():
        typer.echo(f"left out: {place.name} ({place.lat:.4f}, {place.lon:.4f}): {place.reason}", err=True)
    if len(made.left_out) > _SHOWN:
        typer.echo(f"left out: … all of them in {made.region.data / 'left_out_places.csv'}", err=True)


def _told(role: str, source: str) -> str:
    from geolocate.errors import RegionError

    if not source.strip():
        raise RegionError(
            f"--{role}-source is empty: say who published the {role}, when, and under which licence; it is kept in "
            "SOURCES.md"
        )
    return source.strip()


def _side(value: str) -> Any:
    from geolocate.errors import RegionError

    if value not in ("left", "right"):
        raise RegionError(f"--driving-side {value!r}: choose left or right")
    return value


def _print_facts(facts: dict[str, Any], title: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    table = Table("what", "value", title=title)
    for key, value in facts.items():
        table.add_row(key, f"{value:,}" if isinstance(value, int | float) else str(value))
    Console().print(table)
