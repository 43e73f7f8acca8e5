"""`geolocate data export-ids`: pass a collection on as panorama IDs, without pictures."""

from pathlib import Path
from typing import Annotated

import typer

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export-ids")(export_ids)


def export_ids(
    name: Annotated[str, typer.Argument(help="A finished collection.")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    hashes: Annotated[bool, typer.Option("--hashes", help="Add each picture's sha256.")] = False,
) -> None:
    """Write panorama IDs and views; `geolocate data collect --from-ids` fetches them under another key.

    Example: geolocate data export-ids uk-cities --out uk-cities-ids.parquet
    """
    from geolocate.collection.pano_ids import export_ids as export

    rows = export(DataRoot(settings_from_environment().data), name, out, hashes=hashes)
    typer.echo(f"{name}: {rows:,} pictures as panorama IDs in {out}")
