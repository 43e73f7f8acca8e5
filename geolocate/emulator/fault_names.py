"""What can go wrong on purpose: the names of ``--fault``, and what each does to either endpoint.

Out: the names and their meaning, from which ``geolocate emulator --help`` and the tests are made.

Answers to image requests with status 200 or 404 are billed, whatever is in them and whatever becomes of them on the
way; refusals and failures of the server are not. What the real service bills of a connection that breaks is not known:
here it is billed.
"""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """The names; their order is that of the documentation."""

    # Codes of HTTP, on both endpoints.
    SERVER_ERROR = "server_error"
    TOO_MANY = "too_many"
    HTTP_400 = "http_400"
    HTTP_400_LATER = "http_400_later"
    HTTP_403 = "http_403"
    HTTP_403_LATER = "http_403_later"
    HTTP_404 = "http_404"
    HTTP_404_LATER = "http_404_later"
    HTTP_429 = "http_429"
    HTTP_429_HOURS = "http_429_hours"
    HTTP_429_DATE = "http_429_date"
    HTTP_500_LATER = "http_500_later"
    HTTP_503 = "http_503"
    HTTP_503_LATER = "http_503_later"
    REDIRECT = "redirect"
    # The API's statuses.
    ZERO_RESULTS = "zero_results"
    NOT_FOUND = "not_found"
    OVER_QUERY_LIMIT = "over_query_limit"
    REQUEST_DENIED = "request_denied"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_ERROR = "unknown_error"
    NO_POSITION = "no_position"
    UNDATED = "undated"
    FUTURE_DATE = "future_date"
    # Panoramas that were not meant.
    FAR = "far"
    THIRD_PARTY = "third_party"
    SHARED = "shared"
    # Bodies that are no picture, or not the one.
    GREY = "grey"
    ERROR_PICTURE = "error_picture"
    WRONG_SIZE = "wrong_size"
    WRONG_TYPE = "wrong_type"
    HTML = "html"
    EMPTY = "empty"
    # What becomes of an answer on the way.
    TRUNCATED = "truncated"
    SLOW = "slow"
    STALLED = "stalled"
    ENDLESS = "endless"
    RESET = "reset"
    WRONG_DATE = "wrong_date"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a fault does to metadata and to an image ("" where it cannot befall it), and whether the image is billed."""

    metadata: str
    image: str
    billed: bool = False


_DENIED, _QUOTA = "REQUEST_DENIED in a 200", "OVER_QUERY_LIMIT in a 200"


def _both(what: str, billed: bool = False) -> Meaning:
    return Meaning(what, what, billed)


MEANINGS: dict[Fault, Meaning] = {
    Fault.SERVER_ERROR: _both("500"),
    Fault.TOO_MANY: _both("429 with Retry-After: 1"),
    Fault.HTTP_400: _both("400"),
    Fault.HTTP_400_LATER: _both("400 with Retry-After: 1"),
    Fault.HTTP_403: _both("403, as for a bad key"),
    Fault.HTTP_403_LATER: _both("403 with Retry-After: 1"),
    Fault.HTTP_404: _both("404", billed=True),
    Fault.HTTP_404_LATER: _both("404 with Retry-After: 1", billed=True),
    Fault.HTTP_429: _both("429"),
    Fault.HTTP_429_HOURS: _both("429 with Retry-After: 21600, six hours"),
    Fault.HTTP_429_DATE: _both("429 with Retry-After as a date, a second ahead"),
    Fault.HTTP_500_LATER: _both("500 with Retry-After: 1"),
    Fault.HTTP_503: _both("503"),
    Fault.HTTP_503_LATER: _both("503 with Retry-After: 1"),
    Fault.REDIRECT: _both("302 to another host, where nobody answers"),
    Fault.ZERO_RESULTS: Meaning("ZERO_RESULTS", "404 or grey, as without imagery", billed=True),
    Fault.NOT_FOUND: Meaning("NOT_FOUND", "404 or grey, as without imagery", billed=True),
    Fault.OVER_QUERY_LIMIT: Meaning(_QUOTA, "403 with the quota's text"),
    Fault.REQUEST_DENIED: Meaning(_DENIED, "403, as for a bad key"),
    Fault.INVALID_REQUEST: Meaning("INVALID_REQUEST in a 200", "400"),
    Fault.UNKNOWN_ERROR: Meaning("UNKNOWN_ERROR in a 200", "500"),
    Fault.NO_POSITION: Meaning("OK without a location", ""),
    Fault.UNDATED: Meaning("OK without a date", ""),
    Fault.FUTURE_DATE: Meaning("OK with a capture month 60 years late", ""),
    Fault.FAR: Meaning("OK with a panorama about 200 km outside the radius", ""),
    Fault.THIRD_PARTY: Meaning("OK with a user's photosphere: its copyright, its long id", ""),
    Fault.SHARED: Meaning("OK with one panorama for all points of a cell of 0.001°", ""),
    Fault.GREY: Meaning("", "the grey picture with 200, though there is imagery", billed=True),
    Fault.ERROR_PICTURE: Meaning("", "a picture of an error message, with 200", billed=True),
    Fault.WRONG_SIZE: Meaning("", "a picture of half the size", billed=True),
    Fault.WRONG_TYPE: Meaning("the JSON as text/plain", "the JPEG as application/octet-stream", billed=True),
    Fault.HTML: _both("a web page, with 200", billed=True),
    Fault.EMPTY: _both("200 and no body", billed=True),
    Fault.TRUNCATED: _both("half the body, then the connection closes", billed=True),
    Fault.SLOW: _both("the whole body, in ten pieces over two seconds", billed=True),
    Fault.STALLED: _both("half the body, then nothing until the client hangs up", billed=True),
    Fault.ENDLESS: _both("the body, then zeros without end, up to 256 MiB", billed=True),
    Fault.RESET: _both("the connection is reset before an answer", billed=True),
    Fault.WRONG_DATE: _both("the right answer under a Date header of 1970", billed=True),
}

#: After these an image request has got its picture none the less.
HARMLESS = frozenset({Fault.SLOW, Fault.WRONG_DATE})
METADATA_FAULTS = frozenset(fault for fault, meaning in MEANINGS.items() if meaning.metadata)
IMAGE_FAULTS = frozenset(fault for fault, meaning in MEANINGS.items() if meaning.image)


def describe() -> list[str]:
    """Return one line a fault, for people."""
    return [f"{fault}: {_line(meaning)}" for fault, meaning in MEANINGS.items()]


def _line(meaning: Meaning) -> str:
    bill = "image billed" if meaning.billed else "not billed"
    if meaning.metadata == meaning.image:
        return f"{meaning.image} ({bill})."
    if not meaning.image:
        return f"metadata {meaning.metadata} (free)."
    if not meaning.metadata:
        return f"image {meaning.image} ({bill})."
    return f"metadata {meaning.metadata}; image {meaning.image} ({bill})."
