"""Hold what the ledger counts as paid against its own totals, and against an emulator's bill.

In: a ledger, and what the emulator has counted. Out: every contradiction in one line each.
"""

from collections.abc import Iterator

import requests

from geolocate.collection.ledger import Ledger
from geolocate.errors import CollectionError

_TIMEOUT_S = 10.0


def total_problems(ledger: Ledger, collection: str) -> Iterator[str]:
    """Compare the totals, by which the caps are kept, with the single requests."""
    totals, bill = ledger.totals(collection), ledger.bill(collection)
    if (totals.image_requests, totals.micro_usd) != (bill.answered + bill.doubtful, bill.micro_usd):
        yield (
            f"the ledger's totals are {totals.image_requests} requests for ${totals.micro_usd / 1e6:.3f}, its single "
            f"requests {bill.answered + bill.doubtful} for ${bill.micro_usd / 1e6:.3f}"
        )


def bill_problems(ledger: Ledger, billed: int) -> Iterator[str]:
    """Compare all that this root has paid with how many requests an emulator has billed.

    Of a request whose answer never came nobody here knows whether it was billed: the emulator's count lies between
    the answered requests and those with the doubtful ones added.
    """
    bill = ledger.bill()
    most = bill.answered + bill.doubtful
    if not bill.answered <= billed <= most:
        expected = str(most) if most == bill.answered else f"{bill.answered} to {most}"
        yield (
            f"the emulator has billed {billed} requests, the ledger {expected}: this holds where the emulator was "
            "started for this data root, and was asked by nobody else since"
        )


def billed_by(url: str) -> int:
    """Ask an emulator how many requests it has billed; raise CollectionError where none answers."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # a proxy could not reach this machine
            return int(session.get(f"{url.rstrip('/')}/counters", timeout=_TIMEOUT_S).json()["billed"])
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise CollectionError(
            f"no emulator answers at {url}/counters ({type(error).__name__}): name the one that the pictures came "
            "from, for example http://127.0.0.1:8977"
        ) from None
