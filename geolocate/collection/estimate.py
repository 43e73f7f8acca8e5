"""What a plan would take, before anything is sent.

In: a plan. Out: points, requests, the price at the most, and the time at the least.
"""

import math
from dataclasses import dataclass

import pandas as pd

from geolocate.collection.records import STANDARD_VIEWS
from geolocate.collection.throttle import Pace
from geolocate.providers.google import PRICE_MICRO_USD


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bounds: every point may have its panorama at once, or none after the last draw."""

    points: int
    groups: int
    panoramas_at_most: int
    metadata_requests_at_least: int
    metadata_requests_at_most: int
    image_requests_at_most: int
    price_usd_at_most: float
    seconds_at_least: int


def estimate(plan: pd.DataFrame, views: int = len(STANDARD_VIEWS), pace: Pace | None = None) -> Estimate:
    """Return what collecting a plan takes; the seconds are those of the pace, a slower provider takes longer."""
    points = int(plan["point_id"].nunique())
    images = points * views
    return Estimate(
        points=points,
        groups=int(plan["group_id"].nunique()),
        panoramas_at_most=points,
        metadata_requests_at_least=points,
        metadata_requests_at_most=len(plan),
        image_requests_at_most=images,
        price_usd_at_most=images * PRICE_MICRO_USD / 1_000_000,
        seconds_at_least=math.ceil((points + images) / (pace or Pace()).per_second),
    )
