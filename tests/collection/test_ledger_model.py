"""The ledger against a model of it: whatever two sessions do, and whichever of them dies, the sums agree."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from geolocate.collection.entries import Caps, Charge, ImageKey, Settlement
from geolocate.collection.ledger import Ledger
from geolocate.records import View

PRICE = 7_000
CAPS = {"a": Caps(micro_usd=5 * PRICE + 1), "b": Caps(images=4), "c": Caps()}
collections = st.sampled_from(sorted(CAPS))
numbers = st.integers(0, 5)
sessions = st.integers(0, 1)


def key(number: int) -> ImageKey:
    return ImageKey("emulated", "google", f"pano-{number}", View(0.0))


class Buying(RuleBasedStateMachine):
    """Two sessions buy six pictures for three collections, each with a cap of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledgers = [self.opened(), self.opened()]
        self.spent = dict.fromkeys(CAPS, 0)
        self.states: dict[int, str] = {}
        self.claims: dict[int, tuple[int, Charge]] = {}

    def opened(self) -> Ledger:
        return Ledger(Path(self.folder.name) / "ledger.sqlite")

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()
        self.folder.cleanup()

    @rule(session=sessions, collection=collections, number=numbers)
    def reserve(self, session: int, collection: str, number: int) -> None:
        ledger = self.ledgers[session]
        with ledger.transaction():
            got = ledger.reserve(collection, key(number), PRICE, CAPS[collection])
        most = {"a": 5, "b": 4, "c": 1_000}[collection]
        if number in self.claims:
            assert not isinstance(got, Charge)
            assert got is not None
            assert got.state == "intended"
        elif self.states.get(number) in ("kept", "rejected", "forgotten"):
            assert not isinstance(got, Charge)
            assert got is not None
            assert got.state == self.states[number]
        elif self.spent[collection] == most:
            assert got is None
        else:
            assert isinstance(got, Charge)
            self.claims[number] = (session, got)
            self.spent[collection] += 1

    @rule(number=numbers, state=st.sampled_from(["kept", "rejected", "open"]), billed=st.booleans())
    def settle(self, number: int, state: str, billed: bool) -> None:
        if number not in self.claims:
            return
        session, charge = self.claims.pop(number)
        with self.ledgers[session].transaction():
            row = self.ledgers[session].settle(charge, Settlement(state, billed=billed or state != "open"))
        self.states[number] = "forgotten" if self.states.get(number) == "forgotten" else state
        assert row.state == self.states[number]
        self.spent[charge.collection] -= state == "open" and not billed

    @rule(number=numbers)
    def lose_the_file(self, number: int) -> None:
        if self.states.get(number) == "kept" and number not in self.claims:
            with self.ledgers[0].transaction():
                self.ledgers[0].reopen(key(number))
            self.states[number] = "open"

    @rule(session=sessions)
    def die(self, session: int) -> None:
        """What was under way stays paid, and may be asked for again."""
        self.ledgers[session].close()
        self.ledgers[session] = self.opened()
        self.claims = {number: claim for number, claim in self.claims.items() if claim[0] != session}

    @invariant()
    def sums_agree(self) -> None:
        for collection, spent in self.spent.items():
            totals, bill = self.ledgers[0].totals(collection), self.ledgers[1].bill(collection)
            assert totals.image_requests == bill.answered + bill.doubtful == spent
            assert totals.micro_usd == bill.micro_usd == spent * PRICE


Buying.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestBuying = Buying.TestCase
