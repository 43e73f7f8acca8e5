"""`geolocate data import`: bring one's own photographs in."""

from pathlib import Path
from typing import Annotated

import typer

from geolocate.cli.options import AsJson, Name, Region
from geolocate.cli.progress import shown_progress
from geolocate.cli.summary import show_summary
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


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
    with shown_progress(root, name) as progress:
        summary, without_position = import_photos(root, name, photos, progress)
    if without_position:
        typer.echo(f"{without_position} photographs have no position and were left out", err=True)
    show_summary(summary, as_json=as_json)
