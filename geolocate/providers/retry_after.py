"""Read how long a server asks to wait (RFC 9110, section 10.2.3).

In: the Retry-After header. Out: seconds, or None where it says nothing that can be read.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds to wait, from either form of the header; how much of it is honoured is the caller's choice."""
    text = (header or "").strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000" says that the zone is unknown; HTTP dates are always in GMT
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None
