"""The keys and entries of the ledger: what was asked for, what came of it, what it cost.

Money is counted in millionths of a dollar.
"""

import math
from dataclasses import dataclass, field

from geolocate.manifest.schema import image_id
from geolocate.records import ImageReason, Rights, SamplePoint, View

#: A picture in one of these states is never asked for again.
FINAL = ("kept", "rejected", "forgotten")
#: So often a picture is paid for without being one, over all runs; then it is rejected for good.
MOST_PAID = 8


@dataclass(frozen=True, slots=True)
class Caps:
    """What one collection may spend over all its runs; None means no cap."""

    micro_usd: int | None = None
    images: int | None = None


@dataclass(frozen=True, slots=True)
class SearchKey:
    """What a search was for; positions are rounded as the request rounds them, to a centimetre."""

    provider: str
    world: str
    lat: float
    lon: float
    radius_m: float
    source: str

    @classmethod
    def of(cls, point: SamplePoint, provider: str, world: str, source: str) -> "SearchKey":
        """Name a search by what is asked; a position that is unknown stands as 0, for the id says what is meant.

        Answers of another round of asking are other entries: the earlier ones stay.
        """
        lat, lon = (0.0 if math.isnan(degrees) else round(degrees, 7) for degrees in (point.lat, point.lon))
        named = f"{source} id={point.source_id}" if point.source_id else source
        named = f"{named} since={point.since}" if point.since else named
        return cls(provider, world, lat, lon, point.radius_m, named)


@dataclass(frozen=True, slots=True)
class ImageKey:
    """What a picture is of, and in which world: two collections that want the same share one request.

    ``image_id`` is the manifest's name of the picture: a hash, worked out once.
    """

    world: str
    provider: str
    source_id: str
    view: View
    image_id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Name the picture."""
        object.__setattr__(self, "image_id", image_id(self.provider, self.source_id, self.view))


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What the ledger knows about one picture."""

    state: str
    session: str | None
    reason: ImageReason | None
    sha256: str | None
    bytes: int | None
    rights: Rights | None
    answered_at: str | None


@dataclass(frozen=True, slots=True)
class Charge:
    """The right to send one request; it must be settled with what came of it."""

    charge_id: int
    collection: str
    key: ImageKey
    micro_usd: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What came of a request: ``billed`` is False only where the provider certainly does not count it."""

    state: str
    billed: bool = True
    reason: ImageReason | None = None
    sha256: str | None = None
    bytes: int = 0
    rights: Rights | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """What the single requests add up to.

    ``answered`` were billed with an answer that costs money; ``doubtful`` count as paid because nobody knows better:
    the connection broke before a whole answer, or the run was killed.
    """

    answered: int
    doubtful: int
    micro_usd: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What one collection has asked for and paid, over all its runs."""

    metadata_requests: int = 0
    image_requests: int = 0
    micro_usd: int = 0
    bytes: int = 0
