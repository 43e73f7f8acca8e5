"""A later month has newer, new and fewer panoramas, by seed; what was found before keeps its id and its bytes."""

import numpy as np
import pytest

from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.panoramas import nearest_panorama, panorama_by_id
from geolocate.errors import SettingsError

#: Rural Wales: some roads have no imagery.
PLACES = np.random.default_rng(3).uniform((52.0, -4.0), (53.0, -3.0), (250, 2))


def found(months):
    return [nearest_panorama(0, lat, lon, 400.0, months) for lat, lon in PLACES]


def test_time_brings_newer_new_and_vanished_panoramas_and_leaves_most_alone():
    before, after = found(0), found(18)
    assert all(one.date < "2025" for one in before if one)
    pairs = list(zip(before, after, strict=True))
    same = sum(old == new for old, new in pairs if old)
    newer = [(old, new) for old, new in pairs if old and new and old.lat == new.lat and old != new]
    assert sum(new is None for old, new in pairs if old) >= 1
    assert sum(new is not None for old, new in pairs if not old) >= 3
    assert len(newer) >= 10
    assert same > 2 * len(newer)
    assert all("2025-01" <= new.date <= "2026-06" and old.pano_id != new.pano_id for old, new in newer)
    assert all(panorama_by_id(0, old.pano_id, 18) == old for old, _ in newer), "the older one is still there by its id"
    assert all(panorama_by_id(0, new.pano_id, 18) == new for new in after if new)
    assert all(panorama_by_id(0, new.pano_id, 0) is None for _, new in newer), "nobody has driven there yet"


def test_a_later_month_adds_to_an_earlier_one():
    middle, late = found(12), found(18)
    dates = [(one.date, other.date) for one, other in zip(middle, late, strict=True) if one and other]
    assert max(one for one, _ in dates) <= "2025-12" < max(other for _, other in dates)
    assert sum(one == other for one, other in zip(middle, late, strict=True) if one) > 50


@pytest.mark.parametrize("month", ["2024-12", "2025-13", "2999-01", "soon"])
def test_a_month_that_cannot_be_shown_is_refused(month):
    with pytest.raises(SettingsError, match="choose a month from 2025-01"):
        EmulatorConfig(today=month)
