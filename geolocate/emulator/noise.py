"""Seeded noise that varies smoothly over the ground.

In: a seed and positions. Out: numbers that look random and are the same on every machine.
"""

import math
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0088
#: How many independent values a noise field has at every position.
CHANNELS = 24


@lru_cache(maxsize=65536)
def _corner(seed: int, scale: int, x: int, y: int, z: int) -> NDArray[np.float64]:
    """The field's values at one lattice corner: CHANNELS numbers, roughly normal, variance 1."""
    key = b"%d/%d/%d/%d/%d" % (seed, scale, x, y, z)
    raw = b"".join(blake2b(key, digest_size=48, salt=bytes([part])).digest() for part in range(CHANNELS // 8))
    # The sum of three uniform numbers is close enough to a normal one, and needs no logarithm.
    sums = np.frombuffer(raw, dtype="<u2").reshape(CHANNELS, 3).astype(np.float64).sum(axis=1)
    return np.asarray((sums / 65535 - 1.5) * 2.0)


def smooth_noise(seed: int, lat: float, lon: float, wavelength_km: float) -> NDArray[np.float64]:
    """CHANNELS values, mean 0 and variance about 1, that vary over the ground on the scale of the wavelength.

    The lattice lies in space, not on a map, so that no place is distorted and nothing jumps at a meridian.
    """
    phi, theta = math.radians(lat), math.radians(lon)
    size = EARTH_RADIUS_KM / wavelength_km
    space = (math.cos(phi) * math.cos(theta) * size, math.cos(phi) * math.sin(theta) * size, math.sin(phi) * size)
    base = [math.floor(value) for value in space]
    ease = [(f := value - floor) * f * (3 - 2 * f) for value, floor in zip(space, base, strict=True)]
    total, power = np.zeros(CHANNELS), 0.0
    scale = round(wavelength_km * 1000)
    for corner in range(8):
        bits = (corner & 1, corner >> 1 & 1, corner >> 2)
        weight = math.prod(e if bit else 1 - e for e, bit in zip(ease, bits, strict=True))
        if weight > 0:
            total += weight * _corner(seed, scale, *(b + bit for b, bit in zip(base, bits, strict=True)))
            power += weight * weight
    return np.asarray(total / math.sqrt(power))
