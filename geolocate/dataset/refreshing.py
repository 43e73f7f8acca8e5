"""Refresh a dataset: ask again, free of charge, what became of its places; buy the difference; publish a version.

In: a published version and its collections. Out: a round of each collection, what it would cost, and in the end a new
immutable version whose card names its parent and what changed. The earlier version, its collections and their pictures
stay. A refresh that was killed goes on where its files end.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from geolocate.collection.collect import PhaseProgress, collect, search
from geolocate.collection.comparing import FATES, RoundPlan, compare_round
from geolocate.collection.ledger import Ledger
from geolocate.collection.records import CollectionSummary, CollectRequest
from geolocate.collection.rounds import Round, Scope, begin_round, end_round, request_of, start_round
from geolocate.collection.throttle import Pace
from geolocate.dataset.changes import Changes, changes_of
from geolocate.dataset.gates import COLUMNS, of_places, refuse
from geolocate.dataset.publishing import PublishRequest, publish
from geolocate.dataset.versions import DatasetRef, DatasetVersion, read_version
from geolocate.errors import CollectionError, DatasetError
from geolocate.geography.partition import partition_version
from geolocate.geography.regions import load_region
from geolocate.records import ImageReason
from geolocate.settings import Settings
from geolocate.storage import DataRoot


@dataclass(frozen=True)
class Refresh:
    """A refresh under way: the version that it starts from, and a round of each of its collections."""

    before: DatasetRef
    rounds: tuple[Round, ...]


@dataclass(frozen=True)
class RefreshPlan:
    """What all rounds have found out, and what is to be bought."""

    before: DatasetRef
    rounds: tuple[RoundPlan, ...]

    @property
    def points(self) -> dict[str, int]:
        """How many planned points had each fate."""
        return {fate: sum(one.points[fate] for one in self.rounds) for fate in FATES}

    @property
    def metadata_requests(self) -> int:
        """How many free requests the rounds took so far."""
        return sum(one.metadata_requests for one in self.rounds)

    @property
    def image_requests(self) -> int:
        """How many pictures are still to be bought."""
        return sum(one.image_requests for one in self.rounds)

    @property
    def price_usd_at_list(self) -> float:
        """What they cost at list price."""
        return round(sum(one.price_usd_at_list for one in self.rounds), 4)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        totals = ("points", "metadata_requests", "image_requests", "price_usd_at_list")
        return {
            "before": str(self.before),
            **{name: getattr(self, name) for name in totals},
            "rounds": [one.to_json() for one in self.rounds],
        }


@dataclass(frozen=True, slots=True)
class RefreshCaps:
    """What a refresh may buy, over all its runs and rounds, and how fast; None means no cap."""

    budget_usd: float | None = None
    max_images: int | None = None
    concurrency: int = 64
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True)
class Refreshed:
    """The version that a refresh has published (the same one where nothing changed), and what changed."""

    before: DatasetRef
    after: DatasetRef
    changes: Changes

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"before": str(self.before), "after": str(self.after), **self.changes.to_json()}


def begin_refresh(
    root: DataRoot,
    dataset: str,
    settings: Settings,
    scope: Scope | None = None,
    if_begun: Literal["resume", "anew"] = "resume",
) -> Refresh:
    """Take up the refresh of a version that is not over yet, or begin one; sends no request for metadata yet.

    See ``begin_round`` for ``if_begun``.
    Raises DatasetError where the region's ground partition is another by now, and what ``begin_round`` raises.
    """
    version = read_version(root, dataset)
    current = partition_version(load_region(version.region))
    if current != version.partition_version:
        raise DatasetError(
            f"{version.ref} was split under ground partition {version.partition_version!r}, the region now has "
            f"{current!r}: publish it again first, or restore the region's [partition]"
        )
    names = version.card["collections"]
    return Refresh(version.ref, tuple(begin_round(root, name, settings, scope, if_begun) for name in names))


def check_plan(root: DataRoot, plan: RefreshPlan) -> None:
    """Raise GateError, before anything is bought, where more places are gone than the region's gate allows."""
    region = load_region(read_version(root, str(plan.before)).region)
    had = sum(plan.points[fate] for fate in ("unchanged", "changed", "gone"))
    gone = pd.concat([one.gone for one in plan.rounds], ignore_index=True)
    rows = gone.rename(columns={"group_name": "class_name"}).assign(gate="gone", image_id="")[COLUMNS]
    if line := of_places(region, len(rows), had):
        file = root.dataset(plan.before.name) / f"refused-{plan.rounds[0].name}.csv"
        advice = "nothing was bought; should it be an outage, ask anew later (--anew), or else raise [gates] gone"
        refuse(f"{plan.before} is not refreshed: {line}; {advice}", rows, file)


def request_in(root: DataRoot, refresh: Refresh, one: Round, settings: Settings, caps: RefreshCaps) -> CollectRequest:
    """Return the request of one round, which may spend what the refresh's other rounds have left."""
    with Ledger(root.ledger) as ledger:
        spent = [ledger.totals(other.name) for other in refresh.rounds if other != one]
    dollars, images = sum(one.micro_usd for one in spent) / 1e6, sum(one.image_requests for one in spent)
    return request_of(
        root,
        one,
        settings,
        budget_usd=None if caps.budget_usd is None else max(0.0, caps.budget_usd - dollars),
        max_images=None if caps.max_images is None else max(0, caps.max_images - images),
        concurrency=caps.concurrency,
        pace=caps.pace,
    )


def look(
    root: DataRoot, one: Round, request: CollectRequest, progress: PhaseProgress = lambda phase, done, total: None
) -> RoundPlan:
    """Ask for what a round does not know yet, free of charge, and compare it with what there is."""
    start_round(root, one, request)
    search(root, request, progress)
    return compare_round(root, one, request)


def buy(
    root: DataRoot, one: Round, request: CollectRequest, progress: PhaseProgress = lambda phase, done, total: None
) -> CollectionSummary:
    """Buy what a round misses.

    Raises CollectionError where a cap has left pictures out: what is not there must not pass for gone.
    """
    summary = collect(root, request, start_round(root, one, request), progress, "resume")
    if left := summary.reasons.get(ImageReason.OVER_BUDGET, 0):
        raise CollectionError(
            f"a cap was reached: {left} pictures of {one.name!r} are missing and nothing was published; run the same "
            "command with a higher --budget-usd or --max-images to go on, nothing is paid twice"
        )
    return summary


def publish_refresh(root: DataRoot, refresh: Refresh) -> Refreshed:
    """Publish what the finished rounds hold as the next version, and end them.

    Raises what ``publish`` raises.
    """
    before = read_version(root, str(refresh.before))
    request = _request_of(before, refresh)
    after = read_version(root, str(publish(root, request, parent=str(refresh.before))))
    for one in refresh.rounds:
        end_round(root, one, {"dataset": refresh.before.name, "before": str(before.ref), "after": str(after.ref)})
    return Refreshed(before.ref, after.ref, changes_of(root, before.frame, after.frame))


def _request_of(before: DatasetVersion, refresh: Refresh) -> PublishRequest:
    """Ask for the same labels of the rounds' rows."""
    same = {name: before.card[name] for name in PublishRequest.model_fields if name in before.card}
    return PublishRequest.model_validate({**same, "collections": tuple(one.name for one in refresh.rounds)})
