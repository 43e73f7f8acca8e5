"""How often a position has imagery: what earlier collections of this data root have met.

In: a region, a provider, a world, and how far a panorama may lie from its position. Out: the share of asked positions
that gave a panorama, and on what that rests; a stated assumption where nothing is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from geolocate.collection.rounds import is_round
from geolocate.collection.shards import FOUND, CollectionFiles
from geolocate.records import OutcomeStatus
from geolocate.storage import DataRoot, read_json

#: Assumed where nothing is known: one position in two has imagery that is nobody else's.
ASSUMED = 0.5
#: Of panoramas that are looked up by their IDs; most are there still.
BY_ID = 1.0
#: Fewer positions than this tell nothing.
_ENOUGH = 50
#: Points in these states were not answered: they tell nothing about the ground.
_UNANSWERED = [str(OutcomeStatus.FAILED), str(OutcomeStatus.REFUSED)]


@dataclass(frozen=True, slots=True)
class Kind:
    """Which positions are alike."""

    provider: str
    world: str
    radius_m: float
    region: str


@dataclass(frozen=True, slots=True)
class HitRate:
    """The share of asked positions that gave a panorama of their own, and on what that rests."""

    share: float
    basis: str

    def expected_panoramas(self, draws: int) -> float:
        """Return the chance that one of so many draws of a point gives a panorama."""
        return 1.0 - (1.0 - self.share) ** draws

    def expected_requests(self, draws: int) -> float:
        """Return how many draws of a point are asked for until one gives a panorama, or none is left."""
        return self.expected_panoramas(draws) / self.share if self.share else float(draws)


def hit_rate(root: DataRoot, kind: Kind) -> HitRate:
    """Return what is known of the same region and radius, else of any region, else of any radius, or the assumption."""
    seen = list(_seen(root, kind))
    alike = [(other, tally) for other, tally in seen if other.radius_m == kind.radius_m]
    here = [(other, tally) for other, tally in alike if other.region == kind.region]
    for words, some in ((f"of {kind.region}", here), ("of other regions", alike), ("of other kinds", seen)):
        asked, hits = sum(tally.asked for _, tally in some), sum(tally.hits for _, tally in some)
        if asked >= _ENOUGH and hits:
            basis = f"earlier collections {words}: {hits:,} of {asked:,} positions had a panorama of their own"
            return HitRate(hits / asked, basis)
    return HitRate(ASSUMED, f"assumed, for nothing is known here: {ASSUMED:.0%} of the positions have one of their own")


@dataclass(frozen=True, slots=True)
class _Tally:
    asked: int
    hits: int


def _seen(root: DataRoot, kind: Kind) -> Iterator[tuple[Kind, _Tally]]:
    for request in sorted(root.path.glob("collections/*/collection.json")):
        started = read_json(request)
        if (started["provider"], started["world"]) != (kind.provider, kind.world):
            continue
        if is_round(CollectionFiles(request.parent)):  # it asks where imagery was found before
            continue
        files = CollectionFiles(request.parent)
        radius = pq.read_table(files.plan, columns=["radius_m"]).column(0)
        other = Kind(kind.provider, kind.world, float(radius[0].as_py()), started["region"])
        for table in sorted((files.folder / FOUND).glob("*.parquet")):
            yield other, _tally(table)


def _tally(path: Path) -> _Tally:
    found = pq.read_table(path, columns=["status", "draws"]).to_pandas()
    found = found[~found["status"].isin(_UNANSWERED)]
    return _Tally(int(found["draws"].sum()), int((found["status"] == FOUND).sum()))
