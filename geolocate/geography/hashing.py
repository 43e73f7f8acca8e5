"""Random-looking numbers from whole numbers: what is drawn for a point depends on nothing but the point's own key.

In: whole numbers, or arrays of them. Out: 64 random-looking bits each, the same on every machine, and numbers from 0
up to 1 made of them. The mixing is the finaliser of splitmix64 (Steele, Lea and Flood, 2014), chained.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_FIRST, _SECOND, _GOLDEN = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def mix(*parts: int) -> int:
    """Hash whole numbers into 64 random-looking bits (splitmix64's finaliser, chained)."""
    state = 0
    for part in parts:
        state = ((state ^ part) + _GOLDEN) & _MASK
        state = ((state ^ state >> 30) * _FIRST) & _MASK
        state = ((state ^ state >> 27) * _SECOND) & _MASK
        state ^= state >> 31
    return state


def mix_arrays(state: int, *parts: NDArray[np.generic]) -> Words:
    """Go on hashing from a state of ``mix``, with arrays of whole numbers of one shape."""
    hashed = np.full(parts[0].shape, state, dtype=np.uint64)
    for part in parts:
        # uint64 arrays wrap around silently, as wanted.
        hashed = (hashed ^ part.astype(np.uint64)) + np.uint64(_GOLDEN)
        hashed = (hashed ^ (hashed >> np.uint64(30))) * np.uint64(_FIRST)
        hashed = (hashed ^ (hashed >> np.uint64(27))) * np.uint64(_SECOND)
        hashed ^= hashed >> np.uint64(31)
    return hashed


def unit(words: Words, slice_: int = 0) -> NDArray[np.float64]:
    """Turn a quarter (0 to 3) of hashed bits into numbers from 0 up to 1: four independent ones a hash."""
    return np.asarray(((words >> np.uint64(16 * slice_)) & np.uint64(0xFFFF)) / 65536.0)


def fraction(words: Words) -> NDArray[np.float64]:
    """Turn hashed bits into numbers from 0 up to 1, each one of 2^53: fine enough for a position on the ground."""
    return np.asarray((words >> np.uint64(11)) / 2.0**53)
