"""One of several processes that buy the same pictures out of one budget, until they are all there or it is killed.

What leaves is written to a file that stands for the provider's own bill: a line a request, at the moment it is sent.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geolocate.collection.entries import FINAL, Caps, Charge, ImageKey, Settlement
from geolocate.collection.ledger import Ledger
from geolocate.records import View

PRICE = 7_000
#: What comes of a request: kept, answered with nothing and billed, failed and billed, failed and not billed.
ANSWERS = (
    Settlement("kept", sha256="0" * 64, bytes=10, http_status=200),
    Settlement("rejected", http_status=404),
    Settlement("open", http_status=500),
    Settlement("open", billed=False, http_status=503),
)


@dataclass(frozen=True)
class Errand:
    """What one process wants, and how likely it is to be killed at each step."""

    folder: Path
    collection: str
    pictures: int
    caps: Caps
    seed: int
    killed: float = 0.0


def key_of(number: int) -> ImageKey:
    return ImageKey("emulated", "google", f"pano-{number}", View(0.0))


def buy(errand: Errand) -> None:
    """Ask for all pictures in an order of one's own; what another holds is looked at again."""
    rng = np.random.default_rng(errand.seed)
    wanted = [int(number) for number in rng.permutation(errand.pictures)]
    with Ledger(errand.folder / "ledger.sqlite") as ledger:
        while wanted:
            number = wanted.pop(0)
            got = _reserve(ledger, errand, number, rng)
            if got is None:
                return
            if isinstance(got, Charge):
                _send(errand, got)
                _perhaps_die(errand, rng)
                answer = ANSWERS[int(rng.choice(len(ANSWERS), p=(0.6, 0.1, 0.15, 0.15)))]
                with ledger.transaction():
                    got = ledger.settle(got, answer)
                    _perhaps_die(errand, rng)
            if got.state not in FINAL:
                wanted.append(number)
                time.sleep(0.001)


def _reserve(ledger, errand, number, rng):
    with ledger.transaction():
        got = ledger.reserve(errand.collection, key_of(number), PRICE, errand.caps)
        _perhaps_die(errand, rng)
    _perhaps_die(errand, rng)
    return got


def _send(errand: Errand, charge: Charge) -> None:
    bill = os.open(errand.folder / "bill", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(bill, f"{errand.collection} {charge.key.source_id} {charge.charge_id}\n".encode())
    os.close(bill)


def _perhaps_die(errand: Errand, rng: np.random.Generator) -> None:
    if rng.random() < errand.killed:
        os.kill(os.getpid(), signal.SIGKILL)
