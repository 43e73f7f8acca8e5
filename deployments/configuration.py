"""What the local stack is told: ports, the data root, and the settings that every Prefect process shares.

In: environment variables or a ``.env`` file. Out: frozen settings, and the environment for a child process.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from geolocate.errors import SettingsError
from geolocate.settings import Settings, settings_from_environment

CHECKOUT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
EMULATOR_KEY = "emulator-key"

# A shell's choice of server must not leak into the stack, whose server is its own.
_NOT_INHERITED = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_PROFILE")


@dataclass(frozen=True)
class Pool:
    """A work pool: what it is for, and how many runs its worker here takes at once."""

    description: str
    runs_at_once: int


POOLS = {
    "cpu": Pool("Collecting, labelling, refreshing: network and processor.", 4),
    "gpu": Pool("Training, sweeping, evaluating: a GPU where there is one, the processor elsewhere.", 1),
}

Port = Annotated[int, Field(ge=1, le=65535)]


class StackSettings(BaseSettings):
    """The ports on which the local stack listens, on this machine only, and what its server stores things in."""

    model_config = SettingsConfigDict(env_prefix="GEOLOCATE_", env_file=".env", extra="ignore", frozen=True)

    ui_port: Port = 4200
    emulator_port: Port = 8930
    stores: Literal["sqlite", "postgres"] = "sqlite"
    postgres_port: Port = 5433
    redis_port: Port = 6380


def stack_settings() -> StackSettings:
    """Read them; raises SettingsError in one line when one is not what it must be."""
    try:
        return StackSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"GEOLOCATE_{str(first['loc'][0]).upper()}"
        allowed = "sqlite or postgres" if name.endswith("STORES") else "a number from 1 to 65535"
        what = "no kind of store" if name.endswith("STORES") else "no port"
        raise SettingsError(f"setting {name}: {first['input']!r} is {what}; choose {allowed}") from None


def data_root() -> Path:
    """Return the data root as an absolute path, since workers run from another folder."""
    return settings_from_environment().data.resolve()


def needs_emulator(settings: Settings) -> bool:
    """Tell whether nobody chose where pictures come from, so that the emulator must serve them."""
    chosen = settings.model_fields_set & {"provider", "google_key", "google_agreement", "street_view_url"}
    return not any(str(getattr(settings, name) or "") for name in chosen)  # an empty line in .env chooses nothing


def server_url(port: int) -> str:
    """Return where the server's API answers."""
    return f"http://{HOST}:{port}/api"


def without_proxy(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that keep requests to this machine from a proxy, which could not reach it."""
    exempt = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    names = "*" if exempt == "*" else ",".join(dict.fromkeys([*filter(None, exempt.split(",")), HOST, "localhost"]))
    return {"no_proxy": names, "NO_PROXY": names}


def prefect_environment(root: Path, ui_port: int, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment in which the server, the workers and the flows of this data root run."""
    kept = {name: value for name, value in inherited.items() if name not in _NOT_INHERITED} | without_proxy(inherited)
    return kept | {
        "PWD": str(CHECKOUT),  # the pull step in prefect.yaml enters this folder
        "GEOLOCATE_DATA": str(root),
        "PREFECT_HOME": str(root / "prefect"),
        "PREFECT_API_URL": server_url(ui_port),
        "PREFECT_SERVER_API_HOST": HOST,
        # The page calls the port that this names, whatever `--port` says.
        "PREFECT_SERVER_API_PORT": str(ui_port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "geolocate",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        # A server that is started anew still knows who holds the place of a deployment that runs one at a time.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # Beats let the server notice a run whose worker was killed along with it.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }


def emulator_environment(emulator_url: str) -> dict[str, str]:
    """Return what tells the library that its pictures come from the emulator."""
    return {
        "GEOLOCATE_STREET_VIEW_URL": emulator_url,
        "GEOLOCATE_WORLD": "emulated",
        "GOOGLE_MAPS_API_KEY": EMULATOR_KEY,
    }
