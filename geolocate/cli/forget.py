"""`geolocate data forget`: remove pictures from the store, the caches and every reader's sight, for ever."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geolocate.collection.forgetting import Victims
    from geolocate.dataset.forgetting import Holders, Wanted
    from geolocate.manifest.tombstones import Circle
    from geolocate.reporting.forgetting import Erased


def register(data_app: typer.Typer) -> None:
    """Add the command to the group of collecting."""
    data_app.command()(forget)


def forget(
    names: Annotated[list[str] | None, typer.Argument(help="Image ids or source ids, as in a manifest.")] = None,
    image: Annotated[list[str] | None, typer.Option(help="An image id; repeat for more.")] = None,
    panorama: Annotated[list[str] | None, typer.Option(help="A panorama's source id, with all its views.")] = None,
    place: Annotated[list[str] | None, typer.Option(help="A place_id or a cell, with all its panoramas.")] = None,
    region: Annotated[str, typer.Option(help="With --place: also what is nearest to it in this region.")] = "",
    area: Annotated[list[Path] | None, typer.Option(help="A file of polygons (GeoJSON …); also in future.")] = None,
    near: Annotated[list[str] | None, typer.Option(help="LAT,LON,KM: a circle of ground; also in future.")] = None,
    creator: Annotated[list[str] | None, typer.Option(help="A creator's name; also in future.")] = None,
    expired: Annotated[bool, typer.Option("--expired", help="What had to be deleted by now (retain_until).")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in store/forgotten.json.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would come to.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines; needs --yes or --dry-run.")] = False,
) -> None:
    """Remove pictures from the store, the caches and every reader's sight, for ever; say who had held them.

    Example: geolocate data forget --near 51.5007,-0.1246,0.3 --reason "asked by the owner" --dry-run
    """
    from geolocate.dataset.forgetting import Wanted, choose_victims, holders_of
    from geolocate.errors import SettingsError
    from geolocate.manifest.tombstones import Rules

    if as_json and not (yes or dry_run):
        raise SettingsError("--json asks nobody: add --yes to forget, or --dry-run to look")
    rules = Rules(
        tuple(_area(path) for path in area or ()), tuple(_circle(text) for text in near or ()), tuple(creator or ())
    )
    wanted = Wanted(
        tuple(names or ()), tuple(image or ()), tuple(panorama or ()), tuple(place or ()), region, rules, expired
    )
    root = DataRoot(settings_from_environment().data)
    victims = choose_victims(root, wanted)
    if not as_json:
        _tell(victims, holders_of(root, victims))
    if not victims.images and rules == Rules():
        typer.echo("nothing of that is here", err=True)
    elif dry_run:
        _tell_dry(root, victims, as_json=as_json)
    elif yes or typer.confirm("Forget them for ever?"):
        _forget(root, wanted, victims, reason, as_json=as_json)
    else:
        typer.echo("nothing was forgotten")


def _forget(root: DataRoot, wanted: "Wanted", victims: "Victims", reason: str, *, as_json: bool) -> None:
    from geolocate.reporting.forgetting import forget_everywhere, found_json

    erased, holders = forget_everywhere(root, wanted, victims, reason)
    if as_json:
        typer.echo(json.dumps(found_json(erased, holders), indent=2))
    else:
        _tell_erased(erased)


def _tell(victims: "Victims", holders: "Holders") -> None:
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    say(f"{len(victims.images):,} images, {len(victims.panoramas):,} panoramas as a whole")
    for held in holders.versions:
        parts = ", ".join(f"{part} {count:,}" for part, count in held.by_part.items())
        say(f"  dataset {held.version}: {held.images:,} images ({parts})")
    for run in holders.runs:
        say(f"  run {run.run}: learned from {run.learned:,}, tested on {run.tested:,}; its weights are not undone")
    for model in holders.models:
        use = ", in use" if model.in_use else ""
        say(f"  model {model.model} (run {model.run}{use}): learned from {model.learned:,}; its weights are not undone")
    for export in holders.exports:
        say(f"  export {export['folder']} ({export['format']}, {export['at']}): a copy that nobody here erases")


def _tell_dry(root: DataRoot, victims: "Victims", *, as_json: bool) -> None:
    from geolocate.dataset.forgetting import holders_of

    if as_json:
        counts = {"images": len(victims.images), "panoramas": len(victims.panoramas)}
        typer.echo(json.dumps(counts | holders_of(root, victims).to_json(), indent=2))
    else:
        typer.echo("nothing was forgotten: --dry-run")


def _tell_erased(erased: "Erased") -> None:
    lost = ", ".join(f"{name} {count:,}" for name, count in erased.collections.items()) or "none"
    typer.echo(
        f"forgotten: {erased.files:,} files and {erased.features:,} cached features erased; rows out of collections: "
        f"{lost}; datasets leave them out from now"
    )
    for run, became in erased.reports.items():
        typer.echo(f"  report of {run}: {became}")
    for run, places in erased.galleries.items():
        typer.echo(f"  gallery of {run}: {places:,} place(s) taken out")
    for model, became in erased.models.items():
        typer.echo(f"  model {model}, {became}")


def _area(path: Path) -> "BaseGeometry":
    from geolocate.geography.outlines import InputFile, read_land

    return read_land(InputFile(path, source=str(path)))


def _circle(text: str) -> "Circle":
    from geolocate.errors import SettingsError
    from geolocate.manifest.tombstones import Circle

    try:
        lat, lon, radius_km = (float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"--near {text!r}: write LAT,LON,KM, such as 51.5007,-0.1246,0.3") from None
    if not (abs(lat) <= 90 and abs(lon) <= 180 and 0 < radius_km <= 1000):
        raise SettingsError(f"--near {text!r}: a latitude, a longitude and more than 0 up to 1000 km are needed")
    return Circle(lat, lon, radius_km)
