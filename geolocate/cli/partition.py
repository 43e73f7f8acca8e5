"""`geolocate set partition`: the ground partition as a table and as a map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolocate.errors import RegionError
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot, atomic_write

if TYPE_CHECKING:
    from geolocate.geography.partition_table import Box


def register(set_app: typer.Typer) -> None:
    """Add the command to the group of datasets."""
    set_app.command()(partition)


def partition(
    out: Annotated[Path, typer.Option(help="The GeoParquet file to write: block_id, part, geometry.")],
    region: Annotated[str, typer.Option(help="The region, by name or by file.")] = "uk",
    box: Annotated[str | None, typer.Option(help="Only this ground: lat_min,lon_min,lat_max,lon_max.")] = None,
    picture: Annotated[Path | None, typer.Option("--map", help="Draw the blocks into this PNG as well.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Show this dataset's panoramas on the map.")] = None,
) -> None:
    """Write which block of ground belongs to which part, for QGIS or for a look.

    Example: geolocate set partition --region uk --out uk-blocks.parquet
    """
    from geolocate.dataset import open_dataset
    from geolocate.geography.partition_table import partition_map, partition_table
    from geolocate.geography.regions import load_region
    from geolocate.manifest import one_a_panorama

    ground = load_region(region)
    corners = _box(box) if box else None
    blocks = partition_table(ground, corners)
    with atomic_write(out) as file:
        blocks.to_parquet(file)
    shares = ", ".join(f"{part} {share:.1%}" for part, share in blocks["part"].value_counts(normalize=True).items())
    typer.echo(f"{out}: {len(blocks)} blocks of {ground.partition.block_km:g} km ({shares})")
    if picture is None:
        return
    rows, title = None, f"Ground partition {blocks['partition_version'].iloc[0]}"
    if dataset is not None:
        version = open_dataset(DataRoot(settings_from_environment().data), dataset)
        title += f", panoramas of {version.ref} ({version.world} world)"
        frame = one_a_panorama(version.frame)
        rows = frame[frame["block_id"].isin(blocks["block_id"])]
    with atomic_write(picture) as file:
        file.write(partition_map(ground, blocks, rows, title))
    typer.echo(f"{picture}: the map")


def _box(text: str) -> "Box":
    from geolocate.geography.partition_table import Box

    try:
        lat_min, lon_min, lat_max, lon_max = (float(number) for number in text.split(","))
    except ValueError:
        raise RegionError(f"box {text!r}: give four numbers, lat_min,lon_min,lat_max,lon_max") from None
    return Box(lat_min, lon_min, lat_max, lon_max)
