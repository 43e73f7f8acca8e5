"""Choose what shows the place nearest to a point: one 360° picture, or several flat photographs.

In: a point, and what a provider has around it. Out: the pictures of one place, the first of which names it.

Flat photographs have no 0°, 90° and 180°: each has the one direction in which it was taken. Those that stand close
together and look different ways are the views of one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geolocate.geography.distances import haversine_km
from geolocate.records import SamplePoint

#: Photographs of one place stand no further than this from its first one: about the width of a street.
PLACE_M = 15.0
#: Two photographs that look less far apart than this show the same again.
APART_DEGREES = 45.0
#: As many photographs a place has at the most.
MOST_VIEWS = 4


@dataclass(frozen=True, slots=True)
class Sighting:
    """A picture somewhere: where it was taken, and where it looks.

    ``azimuth`` is None for a 360° picture. Only sightings of the same ``kind`` (of one licence, say) make one place.
    """

    source_id: str
    lat: float
    lon: float
    azimuth: float | None
    kind: str = ""


def pictures_of_place(point: SamplePoint, sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
    """Return the pictures of the place nearest to the point, its first one first; none where all are beyond the radius.

    A 360° picture shows the place by itself, and is taken where it stands within ``PLACE_M`` of the nearest picture.
    The answer hangs on what there is, never on the order in which it came.
    """
    ordered = [one for distance_m, one in _by_distance(point.lat, point.lon, sightings) if distance_m <= point.radius_m]
    if not ordered:
        return ()
    around = [one for distance_m, one in _by_distance(ordered[0].lat, ordered[0].lon, ordered) if distance_m <= PLACE_M]
    whole = next((one for one in around if one.azimuth is None), None)
    return (whole,) if whole else tuple(_looking_apart(around))


def _by_distance(lat: float, lon: float, sightings: Sequence[Sighting]) -> list[tuple[float, Sighting]]:
    """Order by distance in metres; what stands on the same spot, by id."""
    metres = 1000 * haversine_km(lat, lon, [one.lat for one in sightings], [one.lon for one in sightings])
    return sorted(zip(metres.tolist(), sightings, strict=True), key=lambda pair: (pair[0], pair[1].source_id))


def _looking_apart(around: Sequence[Sighting]) -> list[Sighting]:
    """Take the first, and then each that is of its kind and looks elsewhere than all that were taken."""
    taken = [around[0]]
    for one in around[1:]:
        if len(taken) == MOST_VIEWS:
            break
        if one.kind == taken[0].kind and all(_degrees_between(one, other) >= APART_DEGREES for other in taken):
            taken.append(one)
    return taken


def _degrees_between(one: Sighting, other: Sighting) -> float:
    turn = abs((one.azimuth or 0.0) - (other.azimuth or 0.0)) % 360
    return float(np.minimum(turn, 360 - turn))
