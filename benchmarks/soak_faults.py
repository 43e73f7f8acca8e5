"""Which faults a soak injects, and how often: what a long collection meets, in proportion.

In: the share of image requests that are to fail. Out: ``--fault`` options of the emulator.
"""

from geolocate.emulator.fault_names import IMAGE_FAULTS, METADATA_FAULTS, Fault

#: Relative weights of what befalls both endpoints or images. Pauses for everybody are rare, or the soak would be one.
_WEIGHTS = {
    Fault.SERVER_ERROR: 25, Fault.HTTP_500_LATER: 5, Fault.HTTP_503: 15, Fault.HTTP_503_LATER: 5,
    Fault.HTTP_400: 5, Fault.HTTP_400_LATER: 1, Fault.HTTP_403: 3, Fault.HTTP_403_LATER: 1,
    Fault.HTTP_404: 3, Fault.HTTP_404_LATER: 1, Fault.REDIRECT: 3,
    Fault.TOO_MANY: 0.6, Fault.HTTP_429: 0.4, Fault.HTTP_429_DATE: 0.2, Fault.OVER_QUERY_LIMIT: 0.6,
    Fault.ZERO_RESULTS: 2, Fault.NOT_FOUND: 2, Fault.REQUEST_DENIED: 2, Fault.INVALID_REQUEST: 2,
    Fault.UNKNOWN_ERROR: 10, Fault.GREY: 4, Fault.ERROR_PICTURE: 15, Fault.WRONG_SIZE: 3, Fault.WRONG_TYPE: 10,
    Fault.HTML: 15, Fault.EMPTY: 12, Fault.TRUNCATED: 22, Fault.SLOW: 3, Fault.ENDLESS: 5, Fault.RESET: 20,
    Fault.WRONG_DATE: 9,
}  # fmt: skip
#: These hold a connection for half a minute, or everybody for a minute: for long soaks only.
_PATIENT = {Fault.STALLED: 0.3, Fault.HTTP_429_HOURS: 0.03}
#: Shares of what befalls metadata only.
_METADATA = {
    Fault.NO_POSITION: 0.003, Fault.UNDATED: 0.005, Fault.FUTURE_DATE: 0.005, Fault.FAR: 0.007,
    Fault.THIRD_PARTY: 0.007, Fault.SHARED: 0.01,
}  # fmt: skip

#: A client has to believe these: what they befall is not to be had, and no second try would be right.
FINAL = {
    "image": frozenset(
        {Fault.HTTP_404, Fault.HTTP_404_LATER, Fault.ZERO_RESULTS, Fault.NOT_FOUND, Fault.GREY, Fault.WRONG_SIZE}
    ),
    "metadata": frozenset(
        {Fault.ZERO_RESULTS, Fault.NOT_FOUND, Fault.NO_POSITION, Fault.FAR, Fault.THIRD_PARTY, Fault.SHARED}
    ),
}


def shares(total: float, patient: bool) -> dict[Fault, float]:
    """Return the share of each fault, so that ``total`` of the image requests fail; ``patient``: the slow ones too."""
    weights = _WEIGHTS | (_PATIENT if patient else {})
    scale = total / sum(weights.values())
    chosen = {fault: weight * scale for fault, weight in weights.items()} | _METADATA
    return chosen if total else {}


def never_injected(patient: bool) -> list[Fault]:
    """Name the faults that a soak leaves out."""
    return sorted((IMAGE_FAULTS | METADATA_FAULTS) - set(shares(0.2, patient)))
