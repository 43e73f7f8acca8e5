"""What a server was asked since its start, and what it answered.

In: one call an event. Out: the JSON of ``/counters`` and ``/faults``.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

#: Names of ``/counters`` that are there from the start, at 0.
_NAMES = ("metadata", "image_requests", "billed", "images", "drawn", "no_imagery", "refused", "faults")


@dataclass(slots=True)
class Tally:
    """Counts by name.

    ``billed_by_path`` are the answers that cost money; ``billed_in_vain`` those of them that a fault made useless,
    by the fault's name. ``struck`` lists every fault as its name and the request, without key and signature.
    """

    counters: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    billed_by_path: Counter[str] = field(default_factory=Counter)
    billed_in_vain: Counter[str] = field(default_factory=Counter)
    struck: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, name: str, request: str) -> None:
        """Count a fault that befell a request."""
        self.counters["faults"] += 1
        self.faults[name] += 1
        self.struck.append((name, request))

    def bill(self, path: str, in_vain: str | None = None) -> None:
        """Count an answer that costs money; ``in_vain`` names the fault that made it useless."""
        self.counters["billed"] += 1
        self.billed_by_path[path] += 1
        if in_vain is not None:
            self.billed_in_vain[in_vain] += 1

    def totals(self) -> dict[str, Any]:
        """Return all counts."""
        names = dict.fromkeys((*_NAMES, *sorted(self.counters)))
        return {name: self.counters[name] for name in names} | {
            "faults_by_name": dict(sorted(self.faults.items())),
            "billed_by_path": dict(sorted(self.billed_by_path.items())),
            "billed_in_vain": dict(sorted(self.billed_in_vain.items())),
        }
