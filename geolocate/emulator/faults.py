"""Make the emulator fail as the real service does, as often as was asked for.

In: shares by name, from ``--fault name=share``. Out: which fault, if any, befalls a request.

A fault hangs on the seed, the request and how often this request came before: the first try may fail and the
second succeed, and the same run fails in the same places.
"""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from hashlib import blake2b

from geolocate.emulator.fault_names import Fault
from geolocate.errors import SettingsError
from geolocate.geography.hashing import mix


@dataclass(frozen=True, slots=True)
class FaultShares:
    """The share of requests, 0 to 1, that each fault befalls; at most one fault a request."""

    shares: tuple[tuple[Fault, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse shares that cannot be."""
        for fault, share in self.shares:
            if not 0 <= share <= 1:
                raise SettingsError(f"fault {fault}={share:g}: a share lies from 0 to 1")
        if (total := sum(share for _, share in self.shares)) > 1:
            raise SettingsError(f"faults add up to {total:g}: together they can befall at most all requests, 1")


def parse_faults(texts: Iterable[str]) -> FaultShares:
    """Read ``name=share`` as given on the command line.

    Raises SettingsError that names the text and what is allowed.
    """
    shares = []
    for text in texts:
        name, _, share = text.partition("=")
        if name not in set(Fault):
            raise SettingsError(f"unknown fault {name!r}: choose from {', '.join(Fault)}, as in server_error=0.05")
        try:
            shares.append((Fault(name), float(share)))
        except ValueError:
            raise SettingsError(f"fault {text!r}: give a share from 0 to 1, as in {name}=0.05") from None
    return FaultShares(tuple(shares))


def unsigned(request: str) -> str:
    """Return a path and query without key and signature: who asks does not change what happens."""
    path, _, query = request.partition("?")
    kept = [part for part in query.split("&") if not part.startswith(("key=", "signature="))]
    return f"{path}?{'&'.join(kept)}"


@dataclass(slots=True)
class FaultDice:
    """Decides for one server; remembers how often each request came, by its hash."""

    shares: FaultShares
    seed: int
    _tries: Counter[int] = field(default_factory=Counter)

    def fault_for(self, request: str, possible: Set[Fault] = frozenset(Fault)) -> Fault | None:
        """Say what befalls this request, told by its path and query, this time; None where it could not befall it."""
        if not self.shares.shares:
            return None
        key = mix(self.seed, int.from_bytes(blake2b(unsigned(request).encode(), digest_size=8).digest(), "big"))
        draw = mix(key, self._tries[key]) / 2**64
        self._tries[key] += 1
        for fault, share in self.shares.shares:
            if draw < share:
                return fault if fault in possible else None
            draw -= share
        return None
