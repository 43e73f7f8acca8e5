"""Distances on the sphere, and the point that minimises them.

In: latitudes and longitudes in degrees. Out: kilometres, on a sphere of the mean radius 6371.0088 km (IUGG).
"""

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

EARTH_RADIUS_KM = 6371.0088

Floats = npt.NDArray[np.float64]

_STEPS = 500
_STARTS = 64
_CLOSE = 1e-12  # radians: a few micrometres


def haversine_km(lat1: npt.ArrayLike, lon1: npt.ArrayLike, lat2: npt.ArrayLike, lon2: npt.ArrayLike) -> Floats:
    """Great-circle distance in km; the arguments broadcast against each other."""
    phi1, phi2 = np.radians(np.asarray(lat1, float)), np.radians(np.asarray(lat2, float))
    half_dlon = np.radians(np.asarray(lon2, float) - np.asarray(lon1, float)) / 2
    a = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin(half_dlon) ** 2
    # Rounding may lift a above 1 for antipodes.
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(a, 1.0))))


def unit_vectors(lat: npt.ArrayLike, lon: npt.ArrayLike) -> Floats:
    """Return the positions as unit vectors, shape (N, 3)."""
    phi, lam = np.radians(np.asarray(lat, float)), np.radians(np.asarray(lon, float))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def nearest_km(lat: npt.ArrayLike, lon: npt.ArrayLike, to_lat: npt.ArrayLike, to_lon: npt.ArrayLike) -> Floats:
    """For each position, the distance in km to the nearest of the others; infinite when there is none."""
    targets = np.atleast_2d(unit_vectors(to_lat, to_lon))
    points = np.atleast_2d(unit_vectors(lat, lon))
    if targets.size == 0:
        return np.full(len(points), np.inf)
    chord, _ = cKDTree(targets).query(points)
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0)))


def geometric_median(
    lat: npt.ArrayLike, lon: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> tuple[float, float]:
    """Return the lat, lon whose weighted mean great-circle distance to the positions is least.

    Weiszfeld's iteration in the tangent plane, with Vardi and Zhang's step (PNAS 97, 2000) at a position itself,
    so that it does not stick there. Raises ValueError without positions, or with weights that sum to nothing.
    """
    points = np.atleast_2d(unit_vectors(lat, lon)).reshape(-1, 3)
    weight = np.ones(len(points)) if weights is None else np.asarray(weights, float).reshape(-1)
    if len(points) == 0 or len(weight) != len(points) or np.any(weight < 0) or weight.sum() <= 0:
        raise ValueError(f"{len(points)} positions and weights summing to {weight.sum():g}: both must be more than 0")
    centre = _best_start(points, weight)
    for _ in range(_STEPS):
        step = _weiszfeld_step(centre, points, weight)
        length = float(np.linalg.norm(step))
        if length < _CLOSE:
            break
        centre = _unit(np.cos(length) * centre + np.sin(length) * step / length, centre)
    # The iteration closes in on a median that is itself a position, but ever more slowly: try that position.
    nearest = points[int(np.argmax(points @ centre))]
    if _total_angle(nearest, points, weight) <= _total_angle(centre, points, weight):
        centre = nearest
    return float(np.degrees(np.arcsin(np.clip(centre[2], -1, 1)))), float(np.degrees(np.arctan2(centre[1], centre[0])))


def _unit(vector: Floats, otherwise: Floats) -> Floats:
    norm = float(np.linalg.norm(vector))
    return np.asarray(vector / norm) if norm > _CLOSE else otherwise


def _best_start(points: Floats, weight: Floats) -> Floats:
    """Start from the mean or a position, whichever is better: a median that is a position is then found at once."""
    mean = _unit(weight @ points, points[int(np.argmax(weight))])
    some = points[np.unique(np.linspace(0, len(points) - 1, _STARTS).astype(int))]
    candidates = np.vstack([mean[None], points[[int(np.argmax(weight))]], some])
    totals = [_total_angle(candidate, points, weight) for candidate in candidates]
    return np.asarray(candidates[int(np.argmin(totals))])


def _total_angle(centre: Floats, points: Floats, weight: Floats) -> float:
    return float(weight @ (2 * np.arcsin(np.minimum(np.linalg.norm(points - centre, axis=1) / 2, 1.0))))


def _weiszfeld_step(centre: Floats, points: Floats, weight: Floats) -> Floats:
    """Return the next step as a tangent vector at the centre, in radians."""
    cosine = np.clip(points @ centre, -1, 1)
    tangent = points - cosine[:, None] * centre
    sine = np.linalg.norm(tangent, axis=1)
    angle = np.arctan2(sine, cosine)
    away = sine > _CLOSE
    if not away.any():
        return np.zeros(3)
    pull = weight[away] / angle[away]
    force = (weight[away] / sine[away]) @ tangent[away]
    strength = float(np.linalg.norm(force))
    if strength <= _CLOSE:
        return np.zeros(3)
    here = float(weight[~away].sum())
    return np.asarray(max(0.0, 1.0 - here / strength) * force / pull.sum())
