"""Hashes look random, are the same for arrays and single numbers, and never change."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geolocate.geography.hashing import fraction, mix, mix_arrays

WORD = st.integers(0, 2**64 - 1)


@given(WORD, st.lists(WORD, min_size=1, max_size=20))
def test_arrays_are_hashed_as_single_numbers_are(first: int, others: list[int]) -> None:
    hashed = mix_arrays(mix(first), np.array(others, dtype=np.uint64))
    assert hashed.tolist() == [mix(first, other) for other in others]


def test_the_mixing_is_splitmix64() -> None:
    # Its first number from the seed 0, as every implementation prints it. Plans and the emulated world are made of it.
    assert mix(0) == 0xE220A8397B1DCDAF


def test_fractions_of_counters_are_uniform_and_independent() -> None:
    count = np.arange(200_000)
    drawn = np.stack([fraction(mix_arrays(axis, count)) for axis in (1, 2)])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    cells = np.histogram2d(*drawn, bins=20, range=((0, 1), (0, 1)))[0]
    chi2 = ((cells - 500) ** 2 / 500).sum()
    assert abs(chi2 - 399) < 5 * np.sqrt(2 * 399)
