"""Say what the ground looks like at a position.

In: a seed and a position. Out: ``Surroundings``, which is all that drawing is told besides a heading and a
nuisance seed: no coordinate, no name, no identifier.

The look (building materials, roofs, hedges, poles …) is a sum of smooth noise on three scales: regions of about
150 km, towns of about 25 km, neighbourhoods of about 4 km. For the first two a position is drawn towards the town
that dominates it, so that suburbs look like their city and two cities on either side of a field do not.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geolocate.emulator import ground
from geolocate.emulator.noise import smooth_noise

#: Changes whenever the same seed would draw another world; whoever changes it reruns all that is compared.
WORLD_VERSION = "2"

#: Wavelength in km and share of the variance, from regions to neighbourhoods.
_SCALES = ((150.0, 0.46), (25.0, 0.36), (4.0, 0.18))
#: The country raster's codes: who drives on the left, who builds as in the United States.
_UNITED_KINGDOM, _UNITED_STATES, _IRELAND, _MAN, _CHANNEL_ISLANDS, _CANADA, _MEXICO = range(1, 8)
_LEFT = frozenset({_UNITED_KINGDOM, _IRELAND, _MAN, _CHANNEL_ISLANDS})
_AMERICAN = frozenset({_UNITED_STATES, _CANADA, _MEXICO})
#: Directions in which the skyline is known, from north clockwise, and how far one looks for it, in km.
SKYLINE_DIRECTIONS = 16
_SKYLINE_KM = (5.0, 11.0, 24.0)
#: Metres of height for the whole range of the height raster.
_HEIGHT_M = 2500.0
#: The height raster is smooth: peaks stand out of it by about this factor.
_PEAKS = 1.5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What can be seen of a place. Shares and strengths are 0 to 1, rounded so that bytes do not hang on ulps."""

    drives_left: bool
    american: bool
    irish: bool
    sun_height: float
    built: float
    downtown: float
    coast_km: float
    sea_bearing: float
    height: float
    rough: float
    forest: float
    shrub: float
    grass: float
    crops: float
    barren: float
    arid: float
    tropical: float
    cold: float
    road_bearing: float
    road_rank: int
    skyline: tuple[float, ...]
    look: tuple[float, ...]


def surroundings_at(seed: int, lat: float, lon: float, road_bearing: float, road_rank: int) -> Surroundings | None:
    """Describe the place, or return None where the world is not mapped.

    ``road_bearing`` is where the road leads, in degrees from north; ``road_rank`` 0 is a main road, 3 a lane.
    """
    cell = ground.ground_at(lat, lon)
    if cell is None:
        return None
    built = cell.value("built") / 252
    country = cell.nearest("country")
    east, north = cell.slope("coast")
    share = cell.share
    return Surroundings(
        drives_left=country in _LEFT,
        american=country in _AMERICAN,
        irish=country == _IRELAND,
        sun_height=round(90 - abs(lat), 0),
        built=round(built, 2),
        downtown=round(cell.value("downtown") / 252, 2),
        coast_km=round((cell.value("coast") - 128) / 4, 1),
        sea_bearing=float(round(math.degrees(math.atan2(-east, -north)) % 360)) if (east, north) != (0, 0) else 0.0,
        height=round(cell.value("height") / 252, 2),
        rough=round(cell.value("rough") / 252, 2),
        forest=round(share("cover", ground.FOREST), 2),
        shrub=round(share("cover", ground.SHRUB), 2),
        grass=round(share("cover", ground.GRASS), 2),
        crops=round(share("cover", ground.CROPS), 2),
        barren=round(share("cover", ground.BARREN), 2),
        arid=round(share("climate", frozenset({ground.ARID})), 2),
        tropical=round(share("climate", frozenset({ground.TROPICAL})), 2),
        cold=round(share("climate", frozenset({ground.COLD, ground.POLAR})), 2),
        road_bearing=float(round(road_bearing % 180)),
        road_rank=road_rank,
        skyline=_skyline(round(lat, 2), round(lon, 2)),
        look=_look(seed, lat, lon, cell, built),
    )


@lru_cache(maxsize=16384)
def _skyline(lat: float, lon: float) -> tuple[float, ...]:
    """How high the relief stands in each direction, as the tangent of its elevation; 0 where it falls away."""
    here = _height_m(lat, lon)
    east_km = 111.195 * math.cos(math.radians(lat))
    tangents = []
    for step in range(SKYLINE_DIRECTIONS):
        turn = 2 * math.pi * step / SKYLINE_DIRECTIONS
        north, east = math.cos(turn), math.sin(turn)
        heights = [(km, _height_m(lat + north * km / 111.195, lon + east * km / east_km)) for km in _SKYLINE_KM]
        tangents.append(max(0.0, *(_PEAKS * (height - here) / (km * 1000) for km, height in heights)))
    return tuple(round(tangent, 3) for tangent in tangents)


def _height_m(lat: float, lon: float) -> float:
    cell = ground.ground_at(lat, lon)
    return cell.value("height") / 252 * _HEIGHT_M if cell is not None else 0.0


def _look(seed: int, lat: float, lon: float, cell: ground.Cell, built: float) -> tuple[float, ...]:
    """CHANNELS numbers, mean 0 and variance about 1, that neighbouring places share."""
    # A dominated place takes on its town's look; open country keeps its own.
    pulled = min(1.0, built * 1.6)
    centre_lat, centre_lon = cell.nearest_centre()
    town_lat = lat + pulled * (centre_lat + (cell.nearest("to_lat") - 128) / 100 - lat)
    town_lon = lon + pulled * (centre_lon + (cell.nearest("to_lon") - 128) / 100 - lon)
    (region_km, region), (town_km, town), (near_km, near) = _SCALES
    total = (
        math.sqrt(region) * _coarse(seed, round(town_lat, 2), round(town_lon, 2), region_km)
        + math.sqrt(town) * _coarse(seed, round(town_lat, 2), round(town_lon, 2), town_km)
        + math.sqrt(near) * smooth_noise(seed, lat, lon, near_km)
    )
    return tuple(np.round(total, 2).tolist())


@lru_cache(maxsize=16384)
def _coarse(seed: int, lat: float, lon: float, wavelength_km: float) -> NDArray[np.float64]:
    return smooth_noise(seed, lat, lon, wavelength_km)
