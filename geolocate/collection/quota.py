"""Keep within what may be asked of a provider in a day.

In: a kind of request and its daily limit. Out: nothing, or QuotaError. The count lies in the ledger, so that all
processes and collections of a data root share it, and a restart does not forget it.
"""

from geolocate.collection.writer import LedgerWriter
from geolocate.providers.protocol import QuotaError

_REMEDIES = {"images of google": "set GOOGLE_MAPS_SIGNING_SECRET for more, or wait: "}


class DailyGuard:
    """The Guard that providers are given."""

    def __init__(self, writer: LedgerWriter) -> None:
        self._writer = writer

    async def spend(self, what: str, limit_a_day: int) -> None:
        """Count one request for today; see Guard."""
        if not await self._writer.do(lambda ledger: ledger.spend_today(what, limit_a_day)):
            raise quota_used_up(what, limit_a_day)


def quota_used_up(what: str, limit_a_day: int) -> QuotaError:
    """Say what is used up, and how to go on."""
    more = _REMEDIES.get(what, "")
    return QuotaError(
        f"{limit_a_day:,} {what} were asked for today (UTC), the most that a day allows: {more}the same command goes "
        "on tomorrow where this one stopped"
    )
