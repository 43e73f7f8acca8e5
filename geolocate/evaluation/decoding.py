"""Turn a posterior over classes into one point on the ground, and say how far it spreads.

In: a posterior of P places over C classes, and the classes' positions (from training places). Out: P positions.

Two decoders. ``argmax`` answers with the most probable class's position. ``least_expected_distance`` answers with
the point whose probability-weighted distance to the classes is the smallest: the best answer to "how many
kilometres off, on average", which is rarely the position of any class when the model hesitates.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geolocate.geography.distances import haversine_km, unit_vectors

Array = NDArray[np.float64]
Positions = tuple[Array, Array]

DEFAULT_DECODER = "least_expected_distance"

# Places are decoded in portions, so that 1,000 classes and 100,000 places fit in memory.
_PORTION = 512
# Leaving a class that is almost the median takes hundreds of steps; only the places that still move take them.
_STEPS = 3000
# 1e-8 radians is 6 cm on the ground; nearer than 1e-7 the arc cosine cannot tell two points apart.
_STILL = 1e-8
_ON_TOP = 1e-7


def argmax(posterior: Array, lat: Array, lon: Array) -> Positions:
    """Answer each place with the position of its most probable class.

    ``posterior`` is (P, C), ``lat`` and ``lon`` (C,) in degrees; returns two arrays (P,) in degrees.
    """
    best = np.asarray(posterior).argmax(axis=1)
    return np.asarray(lat, dtype=float)[best], np.asarray(lon, dtype=float)[best]


def least_expected_distance(posterior: Array, lat: Array, lon: Array) -> Positions:
    """Answer each place with the weighted geometric median of the classes, weighted by its posterior.

    ``posterior`` is (P, C), ``lat`` and ``lon`` (C,) in degrees; returns two arrays (P,) in degrees. Each point
    is at least as good as the best class position: Weiszfeld's iteration on the sphere starts there, and leaves
    it only where that lowers the expected distance (Vardi and Zhang 2000; Fletcher, Venkatasubramanian and Joshi
    2009 for the sphere).
    """
    weights = np.asarray(posterior, dtype=float)
    classes = unit_vectors(lat, lon)
    found = [_medians(weights[at : at + _PORTION], classes) for at in range(0, len(weights), _PORTION)]
    return _degrees(np.concatenate(found) if found else np.empty((0, 3)))


#: How a posterior becomes a coordinate, by the name that metrics carry.
DECODERS: dict[str, Callable[[Array, Array, Array], Positions]] = {
    "argmax": argmax,
    "least_expected_distance": least_expected_distance,
}


def expected_km(posterior: Array, lat: Array, lon: Array, at: Positions) -> Array:
    """Return the probability-weighted mean distance (P,) in km from each point ``at`` to the classes."""
    distances = haversine_km(at[0][:, None], at[1][:, None], lat[None, :], lon[None, :])
    return np.asarray((posterior * distances).sum(axis=1) / posterior.sum(axis=1))


def radius_holding(share: float, posterior: Array, lat: Array, lon: Array, at: Positions) -> Array:
    """Return the smallest radius (P,) in km around each point ``at`` that holds ``share`` of the probability."""
    distances = haversine_km(at[0][:, None], at[1][:, None], lat[None, :], lon[None, :])
    order = distances.argsort(axis=1)
    held = np.take_along_axis(posterior / posterior.sum(axis=1, keepdims=True), order, axis=1).cumsum(axis=1)
    # Summed probabilities may end a rounding error below 1.
    first = (held < share - 1e-12).sum(axis=1).clip(max=len(lat) - 1)
    return np.asarray(np.take_along_axis(np.take_along_axis(distances, order, axis=1), first[:, None], axis=1)[:, 0])


def entropy(posterior: Array) -> Array:
    """Return the posterior's entropy (P,) in nats: 0 when sure, ln C when every class is as likely."""
    share = posterior / posterior.sum(axis=1, keepdims=True)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1))


def _medians(weights: Array, classes: Array) -> Array:
    """Find the weighted geometric medians (P, 3) of ``classes`` (C, 3), one for each row of ``weights`` (P, C)."""
    start = (weights @ _angles(classes @ classes.T)).argmin(axis=1)
    here = classes[start]
    moving = np.arange(len(weights))
    for _ in range(_STEPS):
        step = _step(weights[moving], classes, here[moving])
        here[moving] = _moved(here[moving], step)
        moving = moving[np.linalg.norm(step, axis=1) >= _STILL]
        if not len(moving):
            break
    # An iteration that did not settle must not be worse than where it began.
    began = (weights * _angles(classes[start] @ classes.T)).sum(axis=1)
    ended = (weights * _angles(here @ classes.T)).sum(axis=1)
    return np.asarray(np.where((ended <= began)[:, None], here, classes[start]))


def _step(weights: Array, classes: Array, here: Array) -> Array:
    """One Weiszfeld step as a tangent vector (P, 3) in radians, with Vardi and Zhang's rule on top of a class."""
    cosine = here @ classes.T
    angle = _angles(cosine)
    on_top = angle < _ON_TOP
    pull = np.where(on_top, 0.0, weights / np.where(on_top, 1.0, angle))
    # The logarithm map takes a class to the tangent plane here: its direction, times its angle.
    stretch = pull * angle / np.where(on_top, 1.0, np.sin(angle).clip(min=1e-12))
    drift = stretch @ classes - (stretch * cosine).sum(axis=1, keepdims=True) * here
    force = np.linalg.norm(drift, axis=1)
    held = np.where(on_top, weights, 0.0).sum(axis=1)
    freed = np.where(force > held, 1.0 - held / np.where(force > 0, force, 1.0), 0.0)
    total = pull.sum(axis=1)
    return np.asarray(drift * (freed / np.where(total > 0, total, 1.0))[:, None])


def _moved(here: Array, step: Array) -> Array:
    """Follow the great circle from ``here`` along the tangent ``step``."""
    size = np.linalg.norm(step, axis=1, keepdims=True)
    moved = np.cos(size) * here + np.sinc(size / np.pi) * step
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))


def _angles(cosine: Array) -> Array:
    return np.asarray(np.arccos(cosine.clip(-1.0, 1.0)))


def _degrees(vectors: Array) -> Positions:
    lat = np.degrees(np.arcsin(vectors[:, 2].clip(-1.0, 1.0)))
    return lat, np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0]))
