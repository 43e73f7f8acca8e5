"""What later months change of the emulated coverage: roads are driven again, driven first, or taken down.

In: a month, and the drives of a tile's roads. Out: the year of each road's latest drive. Everything hangs on the hash
of the first drive, so that a later month adds to an earlier one, and the world without a month stays as it is.
"""

import math
import re
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from geolocate.errors import SettingsError
from geolocate.geography.hashing import Words, mix, mix_arrays, unit

Whole = NDArray[np.int64]

#: The world without a month has no panorama of a later year.
LAST_YEAR = 2024
#: Of the roads with imagery, how many are driven again in a year, and how many lose theirs.
_AGAIN, _TAKEN_DOWN = 0.15, 0.03
#: Of all roads, how many are driven first in a year.
_FIRST = 0.02
#: A year's number, counted from 1, has seven bits in an id.
_MOST_YEARS = 127
#: No imagery; 0 is imagery of the world without a month, and other numbers are years after ``LAST_YEAR``.
NEVER = -1
#: The month of a drive by its hash: few drives are made in winter.
_MONTHS = np.array((1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 12))


def months_after(today: str | None) -> int:
    """Return how many months "YYYY-MM" lies after December 2024, 0 for None.

    Raises SettingsError for what is no month, and for one before 2025 or still to come.
    """
    if today is None:
        return 0
    now = datetime.now(UTC).strftime("%Y-%m")
    months = 0
    if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", today):
        months = (int(today[:4]) - LAST_YEAR - 1) * 12 + int(today[5:])
    if not 0 < months <= 12 * _MOST_YEARS or today > now:
        raise SettingsError(f"today {today!r}: choose a month from {LAST_YEAR + 1}-01 to {now}, such as 2026-06")
    return months


def last_drives(drives: Words, lacking: NDArray[np.float64], months: int) -> Whole:
    """Return the year of the latest drive of each road, or ``NEVER``, by the hash of its first drive.

    ``lacking`` is below 0 where a road has imagery from the start, and else how much of coverage it lacks.
    """
    latest = np.where(lacking < 0, 0, NEVER)
    for year in range(1, math.ceil(months / 12) + 1):
        drive = drives_of(drives, year)
        done = (year - 1) * 12 + month_of(drive) <= months
        chance = mix_arrays(mix(71, year), drive)
        first = (lacking >= _FIRST * (year - 1)) & (lacking < _FIRST * year)
        again = (latest >= 0) & (unit(chance, 0) < _AGAIN)
        gone = (latest >= 0) & ~again & (unit(chance, 1) < _TAKEN_DOWN)
        latest = np.where(done & (first | again), year, np.where(done & gone, NEVER, latest))
    return latest


def drives_of(drives: Words, year: int) -> Words:
    """Return the hashes of a year's drives along roads whose first drives have these."""
    return drives if year == 0 else mix_arrays(mix(70, year), drives)


def month_of(drives: Words) -> Whole:
    """Return the months of drives, 1 to 12, as ``panoramas.capture_month`` tells them."""
    return _MONTHS[((drives >> np.uint64(32)) % np.uint64(len(_MONTHS))).astype(np.int64)]
