"""Many comparisons are not each granted the luck of one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolocate.evaluation.holm import bootstrap_p, corrected, holm


def test_holm_by_hand():
    # 0.01 × 4, 0.02 × 3, then 0.03 × 2 = 0.06 and 0.04 × 1 lifted to the one before it.
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_keeps_their_order_and_is_no_stricter_than_bonferroni(p_values):
    raw = np.array(p_values)
    adjusted = holm(raw)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= np.minimum(1, raw * len(raw)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= -1e-12).all()


def test_a_difference_that_no_resample_doubts_has_the_least_p_value_that_can_be_told():
    assert bootstrap_p(np.full(1999, -3.0)) == pytest.approx(2 / 2000)
    assert bootstrap_p(np.zeros(1999)) == 1.0


def test_equal_recipes_are_rarely_told_apart_in_a_family():
    rng = np.random.default_rng(0)
    families = [corrected({f"{at}": rng.normal(rng.normal(), 1, 400) for at in range(10)}, 0.95) for _ in range(200)]
    rejected = np.mean([any(one.rejected for one in family.values()) for family in families])
    alone = np.mean([any(one.p < 0.05 for one in family.values()) for family in families])
    assert rejected < 0.12 < 0.3 < alone


def test_the_interval_excludes_zero_where_and_only_where_the_comparison_is_rejected():
    rng = np.random.default_rng(1)
    shifts = {"much": 6.0, "some": 2.6, "little": 1.0, "none": 0.0}
    family = corrected({name: rng.normal(shift, 1, 4000) for name, shift in shifts.items()}, 0.95)
    assert family["much"].rejected
    assert not family["none"].rejected
    for one in family.values():
        assert one.rejected == (one.low > 0 or one.high < 0)
