"""What goes into a collection, and what comes back from its phases."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from geolocate.collection.throttle import Pace
from geolocate.errors import SettingsError
from geolocate.records import Rights, View
from geolocate.settings import Settings

#: The three directions of the study: ahead, right, behind, clockwise from north.
STANDARD_VIEWS = (View(0.0), View(90.0), View(180.0))

#: How far pictures that are there already are looked into: not at all, their sizes, or every byte.
Verify = Literal["none", "size", "hash"]

#: Called with how much is done and how much there is.
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class CollectRequest:
    """One collection: from whom, what of each panorama, and how much it may cost over all its runs.

    ``budget_usd`` and ``max_images`` cap the requests for pictures, retries included; None means no cap.
    ``rights`` are declared by the owner of a folder of photos; every other provider knows its own. ``verify`` says how
    far a rerun looks into the pictures that it finds in the store; a damaged one is fetched again.
    Raises SettingsError for a cap that is no amount.
    """

    name: str
    settings: Settings
    region: str
    views: tuple[View, ...] = STANDARD_VIEWS
    budget_usd: float | None = None
    max_images: int | None = None
    concurrency: int = 64
    rights: Rights | None = None
    pace: Pace = field(default_factory=Pace)
    verify: Verify = "size"

    def __post_init__(self) -> None:
        """Refuse a cap that would cap nothing: "not a number" is below no price, and infinity above every one."""
        if self.budget_usd is not None and not (math.isfinite(self.budget_usd) and self.budget_usd >= 0):
            raise SettingsError(f"a budget of {self.budget_usd:g} dollars: give 0 or more, or leave it out for no cap")
        if self.max_images is not None and self.max_images < 0:
            raise SettingsError(f"{self.max_images} images at the most: give 0 or more, or leave it out for no cap")


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What one phase of one shard did in this run; a finished shard sends no request.

    ``statuses`` counts the shard's planned points; ``reused`` the answers or pictures that were there already;
    ``price_usd`` what the requests of this run cost; ``replaced`` the pictures that were gone from the store or
    damaged, and were fetched again.
    """

    shard: int
    phase: str
    points: int
    statuses: dict[str, int]
    images: int = 0
    metadata_requests: int = 0
    image_requests: int = 0
    reused: int = 0
    bytes: int = 0
    price_usd: float = 0.0
    seconds: float = 0.0
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """The whole collection, over all its runs; the ``run_`` fields are this run's own.

    The counts of ``statuses`` add up to ``points``; ``unsettled`` requests were under way when a run was killed, and
    count as paid.
    """

    name: str
    region: str
    provider: str
    world: str
    points: int
    statuses: dict[str, int]
    reasons: dict[str, int]
    panoramas: int
    images: int
    metadata_requests: int
    image_requests: int
    unsettled: int
    bytes: int
    seconds: float
    price_usd: float
    run_metadata_requests: int = 0
    run_image_requests: int = 0
