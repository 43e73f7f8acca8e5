"""How one emulator is run.

In: what the command line or a test asks for. Out: ``EmulatorConfig``, or SettingsError.
"""

import os
from dataclasses import dataclass, field
from typing import Literal

from geolocate.emulator.faults import FaultShares
from geolocate.emulator.later import months_after
from geolocate.emulator.world import WORLD_VERSION
from geolocate.errors import SettingsError

DEFAULT_PORT = 8930


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """How to run the emulator. No keys: any key will do; no secret: signatures are not looked at.

    ``pictures`` "dummy" answers at once with pictures that show nothing and differ by a hash in a comment: for trying
    out how many can be collected, never for learning; they are of a world version of their own.
    ``requests_per_minute`` and ``unsigned_per_day`` limit requests for pictures; with the latter, requests without a
    signature are answered too, so many a day. None: no limit. ``thumbnail_seconds`` is how long the addresses of
    Mapillary's thumbnails hold. ``today`` is the month, "YYYY-MM", up to which Street View's cars have driven: from
    2025-01 on, the later it is, the more panoramas are newer, new or gone. None: the frozen world, of 2024.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    seed: int = 0
    keys: tuple[str, ...] = field(default=(), repr=False)
    signing_secret: bytes | None = field(default=None, repr=False)
    processes: int = 0
    latency_ms: float = 0.0
    faults: FaultShares = field(default_factory=FaultShares)
    pictures: Literal["drawn", "dummy"] = "drawn"
    requests_per_minute: int | None = None
    unsigned_per_day: int | None = None
    thumbnail_seconds: float = 3600.0
    today: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be served."""
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port {self.port}: choose one from 1 to 65535, or 0 for any that is free")
        if self.processes < 0:
            raise SettingsError(f"processes {self.processes}: give 1 or more, or 0 for one a core")
        if not 0 <= self.latency_ms <= 60_000:
            raise SettingsError(f"latency {self.latency_ms:g} ms: choose from 0 to 60000")

        months_after(self.today)
        for name in ("requests_per_minute", "unsigned_per_day"):
            if (limit := getattr(self, name)) is not None and limit < 0:
                raise SettingsError(f"{name.replace('_', ' ')} {limit}: give 0 or more, or leave it out for no limit")

    @property
    def worker_count(self) -> int:
        """How many processes draw."""
        return self.processes or os.cpu_count() or 1

    @property
    def months_later(self) -> int:
        """How many months after the frozen world it is."""
        return months_after(self.today)

    @property
    def world_version(self) -> str:
        """Which world is shown; dummy pictures are no part of the drawn one."""
        return WORLD_VERSION if self.pictures == "drawn" else f"{WORLD_VERSION}-dummy"
