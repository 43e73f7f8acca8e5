"""`geolocate predict`: where were these photographs taken."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    from geolocate.serving.predictor import Prediction


def register(parent: typer.Typer) -> None:
    """Add the command to the command line."""
    parent.command()(predict)


def predict(
    photos: Annotated[list[Path], typer.Argument(help="Photographs of one place; more views make it surer.")],
    run: Annotated[str | None, typer.Option(help="The run to ask; the one finished last by default.")] = None,
    emulated: Annotated[
        bool, typer.Option("--emulated", help="Ask a model that was trained on the emulated world.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Tell where photographs of one place were taken: the five best places, and the spread.

    Example: geolocate predict --emulated north.jpg east.jpg south.jpg
    """
    from geolocate.serving.predictor import load_predictor, read_photo

    bodies = [read_photo(path) for path in photos]
    predictor = load_predictor(DataRoot(settings_from_environment().data), run)
    prediction = predictor.predict_photos(bodies, emulated=emulated)
    if as_json:
        typer.echo(json.dumps(prediction.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        _print(prediction)


def _print(prediction: "Prediction") -> None:
    table = Table(title=f"{prediction.photos} photo(s), run {prediction.run} ({prediction.world} world)")
    table.add_column("place")
    table.add_column("probability", justify="right")
    table.add_column("lat, lon", justify="right")
    for place in prediction.places:
        table.add_row(place.name, f"{place.probability:.1%}", f"{place.lat:.3f}, {place.lon:.3f}")
    console = Console()
    console.print(table)
    console.print(
        f"best single point {prediction.lat:.3f}, {prediction.lon:.3f}: {prediction.spread_km:.0f} km off on average; "
        f"half of the probability lies within {prediction.radius_50_km:.0f} km, nine tenths within "
        f"{prediction.radius_90_km:.0f} km",
        highlight=False,
    )
