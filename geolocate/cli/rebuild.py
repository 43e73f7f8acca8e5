"""`geolocate set rebuild`: make a version again from plan and ledger, and say whether it is the same."""

from typing import Annotated

import typer

from geolocate.errors import DatasetError
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot


def register(set_app: typer.Typer) -> None:
    """Add the command to the group of datasets."""
    set_app.command()(rebuild)


def rebuild(dataset: Annotated[str, typer.Argument(help="NAME@VERSION, or NAME for its newest.")]) -> None:
    """Make a version again from its collections' plans and the ledger, compare, and mend damaged tables; buys nothing.

    Example: geolocate set rebuild uk-cities-50@13cfde618bc1
    """
    from geolocate.dataset.rebuilding import rebuild_version

    settings = settings_from_environment()
    found = rebuild_version(DataRoot(settings.data), dataset, settings)
    if not found.same:
        raise DatasetError(
            f"{found.version} was made again from plan and ledger as {found.rebuilt.version}, another content: "
            f"`geolocate lineage {found.version}` names what is no longer as it was"
        )
    typer.echo(
        f"{found.version}: made again from plan and ledger, {found.images:,} images, the same content; "
        f"{found.metadata_requests:,} metadata and 0 image requests"
    )
    for name in found.mended:
        typer.echo(f"  mended: {name}")
