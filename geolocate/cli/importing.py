"""`geolocate data import`: bring pictures that are here already in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from geolocate.cli.options import AsJson, Name, Region, spread
from geolocate.cli.progress import shown_progress
from geolocate.cli.summary import show_summary
from geolocate.errors import ProviderError
from geolocate.records import View
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


@dataclass(frozen=True)
class Declared:
    """What the user says of the rights."""

    license: Annotated[str | None, typer.Option(help="SPDX id of the pictures' licence.")] = None
    attribution: Annotated[str | None, typer.Option(help="Whom to name beside each picture.")] = None
    basis: Annotated[
        str | None,
        typer.Option(help="own (usual), open-licence or agreement:REFERENCE; Google's pictures need an agreement."),
    ] = None


@dataclass(frozen=True)
class Looks:
    """What the files do not say, and what is cut from 360° pictures."""

    layout: Annotated[str, typer.Option(help="photos, google-streetview or geoguessr-lstm.")] = "photos"
    positions: Annotated[
        Path | None, typer.Option(help="A table of file, lat, lon and heading: .csv, .parquet or .geojson.")
    ] = None
    headings: Annotated[
        str | None,
        typer.Option(help="Directions cut from 360° pictures, or in which google-streetview asked; usually 0,90,180."),
    ] = None
    fov: Annotated[float, typer.Option(min=1, max=120, help="Horizontal field of view of these, degrees.")] = 90.0
    size: Annotated[str, typer.Option(help="Pixels of the views cut from 360° pictures.")] = "320x320"


@spread
def import_(
    folder: Annotated[Path, typer.Argument(help="Photographs, or Street View pictures that other programs left.")],
    name: Name,
    declared: Declared,
    looks: Looks,
    region: Region = "uk",
    as_json: AsJson = False,
) -> None:
    """Bring your own photographs in, or pictures that google-streetview or GeoguessrLSTM have left.

    Example: geolocate data import ~/photos --name mine --region uk --license CC-BY-4.0 --attribution "Ann Example"
    """
    from geolocate.collection.importing import Declaration, ImportOrder, declared_rights, import_folder

    rights = declared_rights(looks.layout, Declaration(declared.license, declared.attribution, declared.basis))
    told = looks.headings is not None
    order = ImportOrder(folder, region, rights, looks.layout, looks.positions, views_of(looks), told)
    root = DataRoot(settings_from_environment().data)
    with shown_progress(root, name) as progress:
        summary = import_folder(root, name, order, progress)
    show_summary(summary, as_json=as_json)


def views_of(looks: Looks) -> tuple[View, ...]:
    """Turn the options into views; raise ProviderError for headings or a size that are none."""
    headings = (looks.headings or "0,90,180").replace(";", ",").split(",")
    try:
        width, height = (int(side) for side in looks.size.lower().split("x"))
        degrees = [float(heading) for heading in headings]
    except ValueError:
        raise ProviderError(
            f"--headings {looks.headings} --size {looks.size}: give degrees such as 0,90,180 and pixels such as 640x640"
        ) from None
    if not all(-360 <= heading <= 360 for heading in degrees) or not (0 < width <= 4096 and 0 < height <= 4096):
        raise ProviderError(
            f"--headings {looks.headings} --size {looks.size}: degrees up to 360 and at most 4096 pixels a side"
        )
    return tuple(View(heading % 360, 0.0, looks.fov, width, height) for heading in degrees)
