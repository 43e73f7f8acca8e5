"""What a plan would take, before anything is sent.

In: a plan, whom it would ask, and the data root. Out: expected and largest numbers of panoramas and requests, the
price, and the time; what the ledger has already is neither asked for nor paid again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from geolocate.collection.foreknown import Asked, foreknown
from geolocate.collection.hit_rate import BY_ID, HitRate, Kind, hit_rate
from geolocate.collection.pricing import discounted_usd
from geolocate.collection.records import STANDARD_VIEWS
from geolocate.collection.throttle import Pace
from geolocate.collection.watching import Lately, lately
from geolocate.providers.registry import source_of, world_of
from geolocate.records import View
from geolocate.settings import Settings
from geolocate.storage import DataRoot


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan takes from now on; prices in US dollars.

    ``points_known`` are those whose search the ledger answers. Expected numbers rest on ``hit_share``, the share of
    asked positions that give a panorama of their own, whose origin ``hit_basis`` names. ``price_usd_at_most`` is
    every possible picture at list price, each asked for once: a paid answer that is none is asked for again, which
    ``price_usd_at_most_with_retries`` reckons with for all of them. ``price_usd_expected`` takes the free ones and
    the discounts of the month into account, ``billed_this_month`` of this data root included.
    """

    provider: str
    world: str
    points: int
    groups: int
    points_known: int
    panoramas_known: int
    panoramas_expected: int
    panoramas_at_most: int
    images_known: int
    metadata_requests_expected: int
    metadata_requests_at_most: int
    image_requests_expected: int
    image_requests_at_most: int
    list_price_usd_per_1000: float
    price_usd_at_list: float
    price_usd_at_most: float
    price_usd_at_most_with_retries: float
    price_usd_expected: float
    billed_this_month: int
    requests_per_second: float
    images_per_second_lately: float | None
    seconds_expected: int
    hit_share: float
    hit_basis: str


def estimate(
    plan: pd.DataFrame, root: DataRoot, settings: Settings, region: str, views: Sequence[View] = STANDARD_VIEWS
) -> Estimate:
    """Return what collecting a plan takes with these settings; nothing is sent.

    Pictures count as those of 360° panoramas, ``views`` each unless the plan names a point's own; places of flat
    photographs may have fewer.
    """
    client, world = source_of(settings).client, world_of(settings)
    known = foreknown(root, region, plan, Asked(client.name, client.source, world), views)
    rate = _rate(plan, root, Kind(settings.provider, str(world), float(plan["radius_m"].iloc[0]), region))
    found = sum(rate.expected_panoramas(draws) for draws in known.draws_left)
    lookups = sum(rate.expected_requests(draws) for draws in known.draws_left)
    missing = known.images_wanted - known.images_known
    left = zip(known.draws_left, known.views_left, strict=True)
    images = missing + round(sum(rate.expected_panoramas(draws) * wanted for draws, wanted in left))
    most = missing + sum(known.views_left)
    each = client.price_micro_usd / 1e6
    before = lately(root.ledger, world)
    points = int(plan["point_id"].nunique())
    return Estimate(
        provider=settings.provider,
        world=str(world),
        points=points,
        groups=int(plan["group_id"].nunique()),
        points_known=points - len(known.draws_left),
        panoramas_known=known.panoramas,
        panoramas_expected=known.panoramas + round(found),
        panoramas_at_most=known.panoramas + len(known.draws_left),
        images_known=known.images_known,
        metadata_requests_expected=round(lookups),
        metadata_requests_at_most=sum(known.draws_left),
        image_requests_expected=images,
        image_requests_at_most=most,
        list_price_usd_per_1000=round(each * 1000, 4),
        price_usd_at_list=round(images * each, 4),
        price_usd_at_most=round(most * each, 4),
        price_usd_at_most_with_retries=round(most * each * Pace().paid_attempts, 4),
        price_usd_expected=round(discounted_usd(client.price_micro_usd, before.billed_this_month, images), 4),
        billed_this_month=before.billed_this_month,
        requests_per_second=client.requests_per_second,
        images_per_second_lately=before.images_per_second,
        seconds_expected=_seconds(lookups, images, client.requests_per_second, before),
        hit_share=round(rate.share, 4),
        hit_basis=rate.basis,
    )


def _rate(plan: pd.DataFrame, root: DataRoot, kind: Kind) -> HitRate:
    if "source_id" in plan:
        return HitRate(BY_ID, "panoramas are looked up by their IDs: all are taken to be there still")
    return hit_rate(root, kind)


def _seconds(lookups: float, images: int, per_second: float, before: Lately) -> int:
    """Reckon with the provider's pace, or with this machine's where it was slower."""
    images_per_second = min(per_second, before.images_per_second or math.inf)
    return math.ceil(lookups / per_second + images / images_per_second)
