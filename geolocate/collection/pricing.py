"""What pictures cost when a month's free ones and discounts are counted.

In: the list price, how many were billed this month, how many are to come. Out: dollars. The caps of a collection do
not use this: they reckon with the list price, which is never too little.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """Pictures of a month up to ``up_to``, at ``micro_usd`` each."""

    up_to: float
    micro_usd: int


#: Google's Street View Static API: $7.00 a thousand up to 100,000 a month, $5.60 up to 500,000 and, as far as is known,
#: beyond; that the first 10,000 are free is a figure of practitioners.
GOOGLE_TIERS = (Tier(10_000, 0), Tier(100_000, 7_000), Tier(math.inf, 5_600))


def discounted_usd(list_micro_usd: int, billed_before: int, images: int) -> float:
    """Return what so many further pictures cost within one month; nothing where the list price is nothing."""
    if not list_micro_usd:
        return 0.0
    total, reached = 0.0, float(billed_before)
    end = billed_before + images
    for tier in GOOGLE_TIERS:
        upto = min(float(end), tier.up_to)
        total += max(0.0, upto - reached) * tier.micro_usd
        reached = max(reached, upto)
    return total / 1e6
