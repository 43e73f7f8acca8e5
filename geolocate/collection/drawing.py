"""Draw positions that depend on nothing but their own keys.

In: ground that proposes positions and says which are its own, and 64 random-looking bits for each draw. Out: one
position for each. The n-th proposal of a draw is a hash of the draw's bits and n, so that it is the same whatever
else is drawn beside it.
"""

import hashlib
from typing import Protocol

import numpy as np
import numpy.typing as npt

from geolocate.geography.hashing import Words, fraction, mix_arrays
from geolocate.geography.projections import Floats

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MOST_ATTEMPTS = 20_000
_MOST_AT_ONCE = 64  # proposals of one draw
_MOST_PROPOSALS = 200_000  # of all draws together: bounds the memory


class Ground(Protocol):
    """What positions are drawn on, in metres of its zone."""

    def propose(self, uniform: Floats, member: Ints) -> tuple[Floats, Floats]:
        """Turn uniform numbers, shape (N, 3), into positions that are uniform around their members."""
        ...

    def accepts(self, x: Floats, y: Floats) -> Bools:
        """Say which positions are on the ground itself."""
        ...


def key_word(key: str) -> int:
    """Return the 64 bits that a text stands for."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())


def draw_positions(ground: Ground, words: Words, member: Ints) -> tuple[Floats, Floats]:
    """Draw one position a word, uniform on the ground around its member: the first proposal that is on it.

    Positions that no proposal found, after 20,000 of them, are NaN.
    """
    x, y = np.full(len(words), np.nan), np.full(len(words), np.nan)
    pending, tried, width = np.arange(len(words)), 0, 1
    while len(pending) and tried < _MOST_ATTEMPTS:
        for rows in np.array_split(pending, -(-len(pending) * width // _MOST_PROPOSALS)):
            x[rows], y[rows] = _try(ground, words[rows], member[rows], np.arange(tried, tried + width))
        pending = pending[np.isnan(x[pending])]
        tried += width
        width = min(2 * width, _MOST_AT_ONCE)
    return x, y


def _try(ground: Ground, words: Words, member: Ints, attempts: Ints) -> tuple[Floats, Floats]:
    """Return the first of some proposals that is on the ground, NaN where none is."""
    shape = (len(words), len(attempts))
    tries = [np.broadcast_to(words[:, None], shape).ravel(), np.broadcast_to(attempts, shape).ravel()]
    uniform = np.column_stack([fraction(mix_arrays(axis, *tries)) for axis in (1, 2, 3)])
    x, y = ground.propose(uniform, np.repeat(member, len(attempts)))
    fits = ground.accepts(x, y).reshape(shape)
    first = fits.argmax(axis=1) + np.arange(len(words)) * len(attempts)
    found = fits.any(axis=1)
    return np.where(found, x[first], np.nan), np.where(found, y[first], np.nan)
