"""What the ledger knows of a plan already, before anything is sent: nothing of it is asked for or paid again.

In: a plan and the ledger. Out: for each point, the panorama that is known, or how many of its draws are still to be
asked; and how many of the known panoramas' pictures are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from geolocate.collection.entries import FINAL, ImageKey, SearchKey
from geolocate.collection.finding import Search, ground, judged, searches_of, settle_round
from geolocate.collection.ledger import Ledger
from geolocate.collection.wanted_views import Views, views_of
from geolocate.collection.watching import latest_realm
from geolocate.records import OutcomeStatus, Panorama, SamplePoint, View, World
from geolocate.storage import DataRoot


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the plan would ask: the parts of the ledger's keys that its points do not hold."""

    provider: str
    source: str
    world: World


@dataclass(frozen=True, slots=True)
class Foreknown:
    """What is known of a plan.

    ``draws_left`` counts, for each point that has no answer yet, the draws that are still to be asked, ``views_left``
    the views of the same points;
    ``images_known`` the pictures of the known panoramas of which the ledger knows the fate, ``images_wanted`` all.
    """

    panoramas: int
    draws_left: tuple[int, ...]
    views_left: tuple[int, ...]
    images_wanted: int
    images_known: int


def foreknown(root: DataRoot, region: str, plan: pd.DataFrame, asked: Asked, views: Sequence[View]) -> Foreknown:
    """Look a plan up in the ledger; without a ledger, or with none of this provider's answers, nothing is known."""
    realm = latest_realm(root.ledger, asked.provider, asked.world)
    if realm is not None:
        with Ledger(root.ledger) as ledger:
            return _looked_up(root, region, plan, _Known(ledger, realm, asked, views, views_of(plan)))
    of_point = views_of(plan)
    draws = plan.groupby("point_id", sort=False).size()
    return Foreknown(0, tuple(draws), tuple(len(of_point.get(point, views)) for point in draws.index), 0, 0)


@dataclass(frozen=True, slots=True)
class _Known:
    ledger: Ledger
    realm: str
    asked: Asked
    views: Sequence[View]
    of_point: Views

    def key(self, point: SamplePoint) -> SearchKey:
        return SearchKey.of(point, self.asked.provider, self.realm, self.asked.source)

    def images(self, point_id: str, panorama: Panorama) -> list[ImageKey]:
        wanted = self.of_point.get(point_id)
        return [
            ImageKey(self.realm, member.provider, member.source_id, view)
            for member in panorama.members
            for view in member.views(self.views)
            if wanted is None or view in wanted
        ]


def _looked_up(root: DataRoot, region: str, plan: pd.DataFrame, known: _Known) -> Foreknown:
    """Search shard by shard as a collection does, with the ledger as the only one to answer."""
    searches = [search for _, part in plan.groupby("shard") for search in _search(root, region, part, known)]
    found = {one.panorama.source_id: (one.last.point_id, one.panorama) for one in searches if one.panorama}
    keys = [key for point, panorama in found.values() for key in known.images(point, panorama)]
    rows = known.ledger.images(keys)
    open_ones = [search for search in searches if search.stopped]
    left = tuple(len(search.draws) - len(search.misses) for search in open_ones)
    views = tuple(len(known.of_point.get(search.last.point_id, known.views)) for search in open_ones)
    return Foreknown(len(found), left, views, len(keys), sum(row is not None and row.state in FINAL for row in rows))


def _search(root: DataRoot, region: str, plan: pd.DataFrame, known: _Known) -> list[Search]:
    searches = searches_of(plan)
    boundary = ground(region)
    claimed: set[str] = set()
    while wanted := [search for search in searches if search.next_draw]:
        points = [search.next_draw for search in wanted if search.next_draw]
        answers = known.ledger.answers([known.key(point) for point in points])
        settle_round(wanted, judged(root, boundary, answers), claimed, OutcomeStatus.FAILED)
    return searches
