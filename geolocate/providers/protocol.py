"""What the collection asks of whoever has the pictures.

In: a sample point, or a panorama and a view. Out: a panorama or the reason why there is none, and a picture.
A provider makes one attempt a call; whether and when to try again is the collection's business, and the three
errors below tell it which kind of failure it met.
"""

from typing import Protocol

from geolocate.errors import ProviderError
from geolocate.records import Miss, Panorama, Picture, Rights, SamplePoint, View


class UnreachableError(ProviderError):
    """No answer, or one that says nothing: worth another attempt.

    ``billable`` is False where it certainly costs nothing: the request never arrived, or failed over there.
    """

    def __init__(self, message: str, *, billable: bool = True) -> None:
        super().__init__(message)
        self.billable = billable


class ThrottledError(ProviderError):
    """The quota is used up for now: everybody pauses. ``retry_after_s`` is the provider's own wish, if any."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RefusedError(ProviderError):
    """The key, the agreement or the account is not accepted: no further attempt will help."""


class QuotaError(ProviderError):
    """What may be asked of the provider in a day has been asked today: nothing more leaves until tomorrow."""


class Guard(Protocol):
    """Counts what a provider may be asked only so often a day, over all processes of the data root."""

    async def spend(self, what: str, limit_a_day: int) -> None:
        """Count one request of the kind ``what``, such as "mapillary tiles", for today (UTC), before it leaves.

        Raises QuotaError when the day's limit is used up.
        """
        ...


class Unlimited:
    """The guard of whoever sends nothing, or may ask as often as they like."""

    async def spend(self, what: str, limit_a_day: int) -> None:
        """Let it pass."""


class Provider(Protocol):
    """A source of street-level pictures.

    ``realm`` tells answers apart that must never stand in for each other: the world, and the emulated world's
    version. ``source`` is the filter that a search was made with; both are part of the ledger's keys.
    ``price_micro_usd`` is what one image request costs, in millionths of a dollar, so that sums stay exact.
    ``requests_per_second`` is how fast its terms allow to ask; ``images_a_day`` how many pictures, None: as many as one
    likes.
    """

    name: str
    rights: Rights
    realm: str
    source: str
    price_micro_usd: int
    requests_per_second: float
    images_a_day: int | None

    async def find(self, point: SamplePoint) -> Panorama | Miss:
        """Return the panorama nearest to the point, or why none is usable. Free.

        Raises UnreachableError, ThrottledError or RefusedError.
        """
        ...

    async def fetch(self, panorama: Panorama, view: View) -> Picture:
        """Return one picture of the panorama; this is the request that may cost money.

        Raises UnreachableError, ThrottledError or RefusedError.
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
