"""``geolocate emulator``: serve a stand-in for Street View, for people without a key."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from geolocate.emulator.fault_names import describe

_HELP = """Serve an emulated world over Street View's two endpoints, until Ctrl-C.

Faults, as --fault NAME=SHARE, 0 to 1 of the requests; what each does, and whether the image is billed:

\b
"""
_EPILOG = (
    "Example: geolocate emulator --port 8930 --seed 0 --fault server_error=0.05 --fault truncated=0.01, then ask "
    "http://127.0.0.1:8930/maps/api/streetview/metadata?location=51.5,-0.12&radius=250&key=any"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("emulator", help=_HELP + "\n".join(describe()), epilog=_EPILOG)(emulator)


def emulator(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any that is free.")] = 8930,
    seed: Annotated[int, typer.Option(help="Which world: the same seed shows the same one.")] = 0,
    key: Annotated[
        list[str] | None, typer.Option(help="A key to accept; repeat for more. None: any key will do.")
    ] = None,
    signing_secret_file: Annotated[
        Path | None, typer.Option(help="File with a URL signing secret; requests must then be signed.")
    ] = None,
    processes: Annotated[int, typer.Option(help="Processes that draw; 0 for one a core.")] = 0,
    latency_ms: Annotated[float, typer.Option(help="Wait before each answer, in milliseconds.")] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault and its share of requests, such as server_error=0.05; repeat for more."),
    ] = None,
    pictures: Annotated[
        Literal["drawn", "dummy"],
        typer.Option(help="dummy: at once, showing nothing, of a world of their own; to try out large collections."),
    ] = "drawn",
    requests_per_minute: Annotated[
        int | None, typer.Option(help="Requests for pictures a minute; more get 429. None: any number.")
    ] = None,
    unsigned_per_day: Annotated[
        int | None, typer.Option(help="Unsigned requests for pictures a day, UTC; more get 403. None: any number.")
    ] = None,
    today: Annotated[
        str | None,
        typer.Option(help="A month such as 2026-06, from 2025-01 on: some panoramas are newer then, new, or gone."),
    ] = None,
) -> None:
    """Serve an emulated world over Street View's two endpoints, until Ctrl-C."""
    from geolocate.emulator.access import decode_secret
    from geolocate.emulator.faults import parse_faults
    from geolocate.emulator.server import EmulatorConfig, serve

    config = EmulatorConfig(
        host=host,
        port=port,
        seed=seed,
        keys=tuple(key or ()),
        signing_secret=decode_secret(_read_secret(signing_secret_file)) if signing_secret_file else None,
        processes=processes,
        latency_ms=latency_ms,
        faults=parse_faults(fault or ()),
        pictures=pictures,
        requests_per_minute=requests_per_minute,
        unsigned_per_day=unsigned_per_day,
        today=today,
    )

    def announce(bound: int) -> None:
        typer.echo(f"The emulated world answers at http://{host}:{bound} (seed {seed}); Ctrl-C ends it.")

    serve(config, announce)


def _read_secret(path: Path) -> str:
    from geolocate.errors import SettingsError

    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the signing secret's file {path}: {error}") from None
