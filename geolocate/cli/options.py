"""Options that several commands share, as one record each; `spread` gives a command the options of its records.

In: a command that takes records. Out: the same command with an option for each of their fields.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[str, typer.Option(help="The collection's name; the same command again goes on where it stopped.")]
Region = Annotated[str, typer.Option(help="The region, by name or by file.")]
Provider = Annotated[
    str | None, typer.Option(help="Whom to ask, such as google, mapillary or panoramax; usually GEOLOCATE_PROVIDER.")
]
Verify = Literal["none", "size", "hash"]


@dataclass(frozen=True)
class Sample:
    """Which points: drawn for a region, or taken from a table."""

    region: Region = "uk"
    kind: Annotated[str | None, typer.Option(help="What is sampled: cities (usual), grid, population or uniform.")] = (
        None
    )
    top: Annotated[int | None, typer.Option(help="How many of the largest places, for cities; usually 50.")] = None
    cell_km: Annotated[float | None, typer.Option(help="Side of a cell in kilometres, for grid.")] = None
    per_place: Annotated[int | None, typer.Option(help="Points a city or cell, for cities and grid; usually 18.")] = (
        None
    )
    total: Annotated[int | None, typer.Option(help="Points in all, for population and uniform; usually 2000.")] = None
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same points on any machine; usually 0.")] = (
        None
    )
    points: Annotated[
        Path | None, typer.Option(help="Take the points from this table (lat, lon, town) instead of drawing a sample.")
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """What was asked of the drawing; an option that was not given is left out."""
        names = ("kind", "top", "cell_km", "per_place", "total", "seed")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is a record by the record's fields, in the place where the record stood.

    Two records of one command must not share a field's name.
    """
    signature = inspect.signature(command, eval_str=True)
    records: dict[str, Any] = {
        name: kind.annotation for name, kind in signature.parameters.items() if is_dataclass(kind.annotation)
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name in records:
            parameters.extend(_fields_of(records[name]))
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def run(**values: Any) -> None:
        gathered = {
            name: record(**{field.name: values.pop(field.name) for field in fields(record)})
            for name, record in records.items()
        }
        command(**gathered, **values)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _fields_of(record: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(record, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(record)
    ]
