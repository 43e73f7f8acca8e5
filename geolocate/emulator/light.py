"""Weather, season and time of day: nuisance that says nothing about the place, apart from the sun's height.

In: the latitude's sun, a capture drive's seed. Out: ``Light``.
"""

import math
from dataclasses import dataclass
from random import Random

from geolocate.emulator.panoramas import capture_month
from geolocate.emulator.shapes import Colour, blend
from geolocate.emulator.world import Surroundings


@dataclass(frozen=True, slots=True)
class Light:
    """The light of one capture drive. ``leaf`` is 0 in winter and 1 in summer, ``autumn`` 1 in October."""

    overcast: float
    sun_azimuth: float
    sun_elevation: float
    sky_top: Colour
    sky_low: Colour
    haze_m: float
    cast: Colour
    gain: float
    leaf: float
    autumn: float
    wet: float
    grain: int

    def on_wall(self, normal_bearing: float) -> float:
        """How bright a wall is that faces a bearing (degrees), 1 being plain."""
        turn = math.radians(normal_bearing - self.sun_azimuth)
        direct = max(0.0, math.cos(turn)) * math.cos(math.radians(self.sun_elevation))
        return 0.74 + 0.08 * self.overcast + (1 - self.overcast) * 0.42 * direct


def light_of(place: Surroundings, nuisance: int) -> Light:
    """Make the light of the capture drive that the nuisance seed's upper half names."""
    drive = nuisance >> 32
    rng = Random(drive)
    month = capture_month(drive)
    season = math.cos(math.radians((month - 6.7) * 30))
    hour = rng.uniform(-4.5, 4.5)
    noon = min(88.0, place.sun_height + 22 * season)
    elevation = max(6.0, noon - abs(hour) * 8)
    cloudy = 0.62 - 0.5 * place.arid - 0.2 * place.tropical + (0.1 if not place.american else -0.08)
    overcast = min(1.0, max(0.0, rng.betavariate(1.1, 1.1) * 0.9 + cloudy - 0.5))
    clear_top, grey_top = (86, 132, 196), (168, 176, 186)
    clear_low, grey_low = (186, 208, 228), (212, 215, 218)
    warm = rng.gauss(0, 1)
    return Light(
        overcast=overcast,
        sun_azimuth=(180 + hour * 15) % 360,
        sun_elevation=elevation,
        sky_top=blend(clear_top, grey_top, overcast),
        sky_low=blend(clear_low, grey_low, overcast),
        haze_m=rng.uniform(250, 1400) * (1.5 if place.arid > 0.5 else 1.0),
        cast=(1 + 0.045 * warm, 1 + 0.02 * rng.gauss(0, 1), 1 - 0.045 * warm),
        gain=rng.uniform(0.82, 1.14) * (0.86 + 0.16 * math.sin(math.radians(elevation))),
        leaf=1.0 if place.tropical > 0.5 else min(1.0, max(0.0, 0.55 + 0.75 * season)),
        autumn=max(0.0, 1 - abs(month - 10.3) / 1.6) * (1 - place.tropical),
        wet=rng.random() if overcast > 0.75 and rng.random() < 0.4 else 0.0,
        grain=rng.randrange(2, 6),
    )
