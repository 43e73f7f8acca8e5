"""Turn a posterior over classes into one point on the ground, and say how far it spreads.

In: a posterior of P places over C candidates, and the candidates' positions: those of the classes, from training
places, [C] for all places alike, or [P, C] where each place has candidates of its own (an offset in each cell, or
neighbours found in a gallery). Out: P positions.

Four decoders. ``argmax`` answers with the most probable candidate. ``least_expected_distance`` answers with the point
whose probability-weighted distance to the candidates is the smallest: the best answer to "how many kilometres off, on
average", which is rarely the position of any candidate when the model hesitates. ``weighted`` answers with their
weighted mean, and ``locality`` with the weighted mean of the neighbourhood that holds the most probability.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from geolocate.geography.distances import EARTH_RADIUS_KM, haversine_km, unit_vectors

Array = NDArray[np.float64]
Positions = tuple[Array, Array]

DEFAULT_DECODER = "least_expected_distance"

#: About the reach of a large city and the towns that look like it.
LOCALITY_KM = 50.0

# Places are decoded in portions, so that 1,000 classes and 100,000 places fit in memory.
_PORTION = 512
# Candidates of each place's own are compared with each other: so many pairs at a time take 64 MB.
_PAIRS = 8_000_000
# Leaving a class that is almost the median takes hundreds of steps; only the places that still move take them.
_STEPS = 3000
# 1e-8 radians is 6 cm on the ground; nearer than 1e-7 the arc cosine cannot tell two points apart.
_STILL = 1e-8
_ON_TOP = 1e-7


def argmax(posterior: Array, lat: Array, lon: Array) -> Positions:
    """Answer each place with the position of its most probable candidate.

    ``posterior`` is (P, C), ``lat`` and ``lon`` (C,) or (P, C) in degrees; returns two arrays (P,) in degrees.
    """
    best = np.asarray(posterior).argmax(axis=1)
    return _of_each(lat, best), _of_each(lon, best)


def least_expected_distance(posterior: Array, lat: Array, lon: Array) -> Positions:
    """Answer each place with the weighted geometric median of the candidates, weighted by its posterior.

    Shapes are as for ``argmax``. Each point is at least as good as the best candidate: Weiszfeld's iteration on the
    sphere starts there, and leaves it only where that lowers the expected distance (Vardi and Zhang 2000; Fletcher,
    Venkatasubramanian and Joshi 2009 for the sphere).
    """
    found = [_medians(weights, points) for weights, points in _portions(posterior, lat, lon)]
    return _degrees(np.concatenate(found) if found else np.empty((0, 3)))


def weighted(posterior: Array, lat: Array, lon: Array) -> Positions:
    """Answer each place with the probability-weighted mean of the candidates on the sphere.

    Shapes are as for ``argmax``. Where the candidates cancel each other out, as antipodes do, the most probable one
    answers.
    """
    found = [_means(weights, points) for weights, points in _portions(posterior, lat, lon)]
    return _degrees(np.concatenate(found) if found else np.empty((0, 3)))


def locality(posterior: Array, lat: Array, lon: Array, radius_km: float = LOCALITY_KM) -> Positions:
    """Answer each place with the weighted mean of the neighbourhood that holds the most probability.

    Shapes are as for ``argmax``. A neighbourhood is what lies within ``radius_km`` of a candidate; of several that
    hold as much, that of the most probable candidate is taken. Unlike a mean over everything, the answer to a place
    that may be in one of two far cities is never the fields between them.
    """
    found = []
    for weights, points in _portions(posterior, lat, lon):
        near = _angles(points @ points.swapaxes(-1, -2)) * EARTH_RADIUS_KM <= radius_km
        near |= np.eye(points.shape[-2], dtype=bool)
        held = weights @ near if near.ndim == 2 else np.einsum("pc,pcd->pd", weights, near)
        # Sums of the same probabilities in another order differ by rounding.
        best = np.where(held >= held.max(axis=1, keepdims=True) * (1 - 1e-12), weights, -1.0).argmax(axis=1)
        inside = near[best] if near.ndim == 2 else near[np.arange(len(best)), best]
        found.append(_means(np.where(inside, weights, 0.0), points))
    return _degrees(np.concatenate(found) if found else np.empty((0, 3)))


#: How a posterior becomes a coordinate, by the name that metrics carry.
DECODERS: dict[str, Callable[[Array, Array, Array], Positions]] = {
    "argmax": argmax,
    "least_expected_distance": least_expected_distance,
    "locality": locality,
    "weighted": weighted,
}


def expected_km(posterior: Array, lat: Array, lon: Array, at: Positions) -> Array:
    """Return the probability-weighted mean distance (P,) in km from each point ``at`` to the candidates."""
    distances = haversine_km(at[0][:, None], at[1][:, None], np.atleast_2d(lat), np.atleast_2d(lon))
    return np.asarray((posterior * distances).sum(axis=1) / posterior.sum(axis=1))


def radius_holding(share: float, posterior: Array, lat: Array, lon: Array, at: Positions) -> Array:
    """Return the smallest radius (P,) in km around each point ``at`` that holds ``share`` of the probability."""
    distances = haversine_km(at[0][:, None], at[1][:, None], np.atleast_2d(lat), np.atleast_2d(lon))
    order = distances.argsort(axis=1)
    held = np.take_along_axis(posterior / posterior.sum(axis=1, keepdims=True), order, axis=1).cumsum(axis=1)
    # Summed probabilities may end a rounding error below 1.
    first = (held < share - 1e-12).sum(axis=1).clip(max=distances.shape[1] - 1)
    return np.asarray(np.take_along_axis(np.take_along_axis(distances, order, axis=1), first[:, None], axis=1)[:, 0])


def entropy(posterior: Array) -> Array:
    """Return the posterior's entropy (P,) in nats: 0 when sure, ln C when every class is as likely."""
    share = posterior / posterior.sum(axis=1, keepdims=True)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1))


def _of_each(degrees: Array, chosen: NDArray[np.intp]) -> Array:
    degrees = np.asarray(degrees, dtype=float)
    return degrees[chosen] if degrees.ndim == 1 else degrees[np.arange(len(chosen)), chosen]


def _portions(posterior: Array, lat: Array, lon: Array) -> Iterator[tuple[Array, Array]]:
    """Give the weights (p, C) and candidates, (C, 3) or (p, C, 3), of a portion of the places after the other."""
    weights, points = np.asarray(posterior, dtype=float), unit_vectors(lat, lon)
    if points.ndim == 2:
        for at in range(0, len(weights), _PORTION):
            yield weights[at : at + _PORTION], points
        return
    portion = max(1, min(_PORTION, _PAIRS // max(1, points.shape[1] ** 2)))
    for at in range(0, len(weights), portion):
        yield weights[at : at + portion], points[at : at + portion]


def _summed(weights: Array, points: Array) -> Array:
    """Add up the candidates by their weights, (P, 3)."""
    return np.asarray(weights @ points if points.ndim == 2 else np.einsum("pc,pcd->pd", weights, points))


def _cosines(here: Array, points: Array) -> Array:
    """Compare each point (P, 3) with the candidates, (P, C)."""
    return np.asarray(here @ points.T if points.ndim == 2 else np.einsum("pd,pcd->pc", here, points))


def _only(points: Array, places: NDArray[np.intp]) -> Array:
    """Keep the candidates of some places; candidates for all are those of each."""
    return points if points.ndim == 2 else points[places]


def _means(weights: Array, points: Array) -> Array:
    """Find the weighted means (P, 3) on the sphere."""
    mean = _summed(weights, points)
    size = np.linalg.norm(mean, axis=1, keepdims=True)
    best = weights.argmax(axis=1)
    surest = points[best] if points.ndim == 2 else points[np.arange(len(best)), best]
    lost = size <= _STILL * weights.sum(axis=1, keepdims=True)
    return np.asarray(np.where(lost, surest, mean / np.where(lost, 1.0, size)))


def _medians(weights: Array, points: Array) -> Array:
    """Find the weighted geometric medians (P, 3) of ``points``, one for each row of ``weights`` (P, C)."""
    apart = _angles(points @ points.swapaxes(-1, -2))
    start = (weights @ apart if apart.ndim == 2 else np.einsum("pc,pcd->pd", weights, apart)).argmin(axis=1)
    first = points[start] if points.ndim == 2 else points[np.arange(len(start)), start]
    here = first.copy()
    moving = np.arange(len(weights))
    for _ in range(_STEPS):
        step = _step(weights[moving], _only(points, moving), here[moving])
        here[moving] = _moved(here[moving], step)
        moving = moving[np.linalg.norm(step, axis=1) >= _STILL]
        if not len(moving):
            break
    # An iteration that did not settle must not be worse than where it began.
    began = (weights * _angles(_cosines(first, points))).sum(axis=1)
    ended = (weights * _angles(_cosines(here, points))).sum(axis=1)
    return np.asarray(np.where((ended <= began)[:, None], here, first))


def _step(weights: Array, points: Array, here: Array) -> Array:
    """One Weiszfeld step as a tangent vector (P, 3) in radians, with Vardi and Zhang's rule on top of a candidate."""
    cosine = _cosines(here, points)
    angle = _angles(cosine)
    on_top = angle < _ON_TOP
    pull = np.where(on_top, 0.0, weights / np.where(on_top, 1.0, angle))
    # The logarithm map takes a candidate to the tangent plane here: its direction, times its angle.
    stretch = pull * angle / np.where(on_top, 1.0, np.sin(angle).clip(min=1e-12))
    drift = _summed(stretch, points) - (stretch * cosine).sum(axis=1, keepdims=True) * here
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
