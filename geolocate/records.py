"""The small frozen records that pass from stage to stage.

Positions are WGS 84 degrees, always in the order ``lat, lon``; projected coordinates are metres, ``x, y``.
Headings are degrees clockwise from true north.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class World(StrEnum):
    """Which world a picture shows. One dataset, one table, one comparison: one world."""

    REAL = "real"
    EMULATED = "emulated"


class OutcomeStatus(StrEnum):
    """How a planned point ended; every planned point ends in exactly one of these."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    NO_IMAGERY = "no_imagery"
    TOO_FAR = "too_far"
    WRONG_PROVIDER = "wrong_provider"
    OUTSIDE = "outside"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    FAILED = "failed"
    OVER_BUDGET = "over_budget"
    FORGOTTEN = "forgotten"


class ImageReason(StrEnum):
    """Why one image of a panorama is not in the manifest."""

    GREY_PICTURE = "grey_picture"
    ERROR_PICTURE = "error_picture"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    HTML = "html"
    WRONG_TYPE = "wrong_type"
    WRONG_SIZE = "wrong_size"
    NO_POSITION = "no_position"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    OVER_BUDGET = "over_budget"
    OVER_QUOTA = "over_quota"


@dataclass(frozen=True, slots=True)
class SamplePoint:
    """A place on the ground where a panorama is wanted.

    A planned point may be drawn more than once where there is no imagery: ``draw`` counts from 0, and all draws
    of one ``point_id`` share its group (the cell or the class that the point was drawn for). ``source_id`` names the
    panorama where it is known already: it is looked up by its id, and the position may then be NaN, for unknown.
    ``since`` is the moment, UTC, from which answers count: what was told before is asked for again.
    """

    point_id: str
    draw: int
    group_id: str
    lat: float
    lon: float
    radius_m: float
    sample_weight: float
    source_id: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One picture to be taken of a panorama: where the camera looks, and how large the picture is in pixels."""

    heading: float
    pitch: float = 0.0
    fov: float = 90.0
    width: int = 320
    height: int = 320


@dataclass(frozen=True, slots=True)
class Rights:
    """What may be done with a picture, and on what ground; it belongs to the endpoint that answered."""

    license: str
    attribution: str
    rights_basis: str
    world: World
    terms_version: str
    retain_until: str | None = None


@dataclass(frozen=True, slots=True)
class Panorama:
    """A panorama that exists, as a provider's free metadata tells it.

    ``captured`` is an ISO date cut to its precision: "2019", "2019-07" or "2019-07-14".
    ``native`` is the one view that a flat photograph has; None: it shows all directions, and any view can be had.
    ``azimuth`` is where the middle of a 360° picture looks, for a provider that sends it whole and cuts its views here;
    ``address`` the URL at which its picture stays, where the metadata name one: never with a key or a token.
    ``companions`` are further flat photographs of the same place, each with its own id, position and direction; they
    and this one are the views of one place, which bears this one's ``source_id``.
    """

    provider: str
    source_id: str
    lat: float
    lon: float
    captured: str | None
    rights: Rights
    sequence_id: str | None = None
    creator: str | None = None
    camera: str | None = None
    native: View | None = None
    azimuth: float | None = None
    address: str | None = None
    companions: tuple["Panorama", ...] = ()

    @property
    def members(self) -> tuple["Panorama", ...]:
        """This panorama and its companions."""
        return (self, *self.companions)

    def views(self, wanted: Sequence[View]) -> tuple[View, ...]:
        """Return which views of it there are: those wanted, or its only own."""
        return (self.native,) if self.native else tuple(wanted)


@dataclass(frozen=True, slots=True)
class Miss:
    """No usable panorama at a point: why, in the closed list's word and in the provider's own.

    ``reason`` says of a picture that is there why it is of no use.
    """

    status: OutcomeStatus
    detail: str = ""
    reason: ImageReason | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """The body of an image answer, before anything is known about it."""

    body: bytes
    content_type: str
    http_status: int
