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
    heading: Annotated[
        list[float] | None,
        typer.Option(help="Where a photograph looks, degrees clockwise from true north; once a photograph or never."),
    ] = None,
    emulated: Annotated[
        bool, typer.Option("--emulated", help="Ask a model that was trained on the emulated world.")
    ] = False,
    area: Annotated[
        Path | None, typer.Option(help="Write the 50 % and 90 % search areas to this .geojson or .kml file.")
    ] = None,
    guess_anyway: Annotated[
        bool, typer.Option("--guess-anyway", help="Guess where the photographs are unlike all training places.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Tell where photographs of one place were taken: the five best places, the spread, the ground to search.

    Photographs that are too unlike all training places are not guessed at. Example: geolocate predict --emulated
    --area search.kml --heading 0 --heading 90 --heading 180 north.jpg east.jpg south.jpg
    """
    from geolocate.evaluation.search_area import check_area_path
    from geolocate.serving.predictor import load_predictor, read_photo, with_headings, write_search_areas

    if area is not None:
        check_area_path(area)
    bodies = [read_photo(path) for path in photos]
    if heading:
        bodies = with_headings(bodies, heading)
    predictor = load_predictor(DataRoot(settings_from_environment().data), run)
    prediction = predictor.predict_photos(bodies, emulated=emulated)
    guessed = guess_anyway or not prediction.refused
    if area is not None and guessed:
        write_search_areas(area, prediction)
    if as_json:
        told = prediction.to_json() if guessed else prediction.unguessed()
        typer.echo(json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False))
        return
    if prediction.refused:
        typer.echo(_refusal(prediction, guess_anyway=guess_anyway))
    if guessed:
        _print(prediction)
        if area is not None:
            typer.echo(f"search areas written to {area}")


def _refusal(prediction: "Prediction", *, guess_anyway: bool) -> str:
    """Say why nothing is guessed: one score cannot tell which of the three it is."""
    likeness = (
        f"{prediction.in_region:.3f} like the training places, genuine ones {prediction.refuse_below:.3f} or more"
    )
    then = "this is a guess all the same:" if guess_anyway else "nothing is guessed; --guess-anyway does"
    return f"not in this region ({prediction.region}), indoors, or not at street level ({likeness}): {then}"


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
    for area in prediction.areas:
        console.print(f"{area.share:.0%} search area: {area.km2:,.0f} km² of land", highlight=False)
    if not prediction.calibrated:
        console.print(
            f"not calibrated: `geolocate model evaluate {prediction.run}` does that, and fits search areas and refusal",
            highlight=False,
        )
