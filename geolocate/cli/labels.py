"""`geolocate set classes` and `geolocate set label`: which places are classes, and where positions stand."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot, atomic_write

if TYPE_CHECKING:
    import pandas as pd

Region = Annotated[str, typer.Option(help="The region, by name or by file.")]
Overrides = Annotated[Path | None, typer.Option(help="A table of suburb overrides of your own.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def register(set_app: typer.Typer) -> None:
    """Add the commands to the group of datasets."""
    set_app.command()(classes)
    set_app.command()(label)


def classes(
    region: Region = "uk",
    top: Annotated[int, typer.Option(help="How many of the largest places.")] = 150,
    overrides: Overrides = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this CSV file instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show which of the largest places are classes of their own, which are suburbs, whose, and why.

    Example: geolocate set classes --region uk --top 150 --csv uk-150.csv
    """
    from geolocate.geography.regions import load_region
    from geolocate.geography.suburbs import merge_table

    table = merge_table(load_region(region), top, overrides)
    own = int((table["place_id"] == table["parent_id"]).sum())
    count = f"{top} places of {region!r}, {own} classes"
    if csv:
        _write(csv, table)
        typer.echo(f"{count}, in {csv}")
    elif as_json:
        rows = json.loads(table.to_json(orient="records"))
        typer.echo(json.dumps({"region": region, "top": top, "classes": own, "places": rows}, indent=2))
    else:
        merged = table[table["place_id"] != table["parent_id"]]
        shown = Table("place", "people", "parent", "reason", "km", title=f"{count}; the suburbs:")
        for row in merged.to_dict("records"):
            shown.add_row(row["place"], f"{row['people']:,}", row["parent"], row["reason"], f"{row['km']:.1f}")
        Console().print(shown)


def label(
    source: Annotated[
        str, typer.Argument(help="A collection, or a CSV or Parquet file (a folder of CSVs) of positions.")
    ],
    out: Annotated[Path, typer.Option(help="The .csv or .parquet file to write.")],
    region: Region = "uk",
    top: Annotated[int, typer.Option(help="How many of the largest places are cities.")] = 150,
    cell_km: Annotated[
        float | None, typer.Option(help="Side of a cell in kilometres; the region's if left out.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Label positions: cell, city after merging, town (an approximation), admin units, ground block and part.

    Example: geolocate set label my-points.csv --region uk --out labelled.csv
    """
    from geolocate.dataset.labels import LABELS, LabelSettings, label_positions
    from geolocate.geography.regions import load_region

    ground = load_region(region)
    positions = _positions(source)
    # What the table says itself stays beside our labels.
    positions = positions.rename(columns={name: f"{name}_given" for name in LABELS})
    side_km = ground.grid_km if cell_km is None else cell_km
    labels = label_positions(ground, positions, LabelSettings(top, side_km, overrides))
    _write(out, labels)
    told: dict[str, Any] = {"positions": len(labels), "outside": int((labels["country"] == "").sum())}
    told |= {f"{name}s": int(labels.loc[labels[name] != "", name].nunique()) for name in ("cell", "town")}
    told |= {"in_a_city": int((labels["city"] != "").sum()), "out": str(out)}
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    outside = f", {told['outside']:,} outside the region without labels" if told["outside"] else ""
    typer.echo(
        f"{told['positions']:,} positions{outside}; {told['in_a_city']:,} within reach of a city, "
        f"{told['cells']:,} cells, {told['towns']:,} towns (approximate names), in {out}"
    )


def _positions(source: str) -> "pd.DataFrame":
    """Read a file of positions, or the panoramas of a collection."""
    from geolocate.collection.points import read_points
    from geolocate.errors import PlanError
    from geolocate.manifest import one_a_panorama, read_manifest

    if Path(source).exists():
        return read_points(Path(source))
    root = DataRoot(settings_from_environment().data)
    if not root.collection(source).is_dir():
        raise PlanError(f"{source!r} is neither a file of positions nor a collection under {root.path}")
    rows: pd.DataFrame = read_manifest(root.collection(source) / "manifest")
    return one_a_panorama(rows)[["source_id", "lat", "lon"]].reset_index(drop=True)


def _write(path: Path, table: "pd.DataFrame") -> None:
    from geolocate.errors import PlanError

    if path.suffix not in (".csv", ".parquet"):
        raise PlanError(f"{path}: choose a name that ends in .csv or .parquet")
    with atomic_write(path) as file:
        if path.suffix == ".csv":
            table.to_csv(file, index=False, lineterminator="\n")
        else:
            table.to_parquet(file, index=False)
