"""What every builder of a scene is handed: the place, its palette, its light, and where the shapes go."""

from dataclasses import dataclass
from functools import cached_property
from random import Random

from geolocate.emulator.camera import Viewpoint
from geolocate.emulator.light import Light
from geolocate.emulator.palettes import Palette
from geolocate.emulator.shapes import Colour, Shapes, blend, shade
from geolocate.emulator.world import Surroundings
from geolocate.geography.hashing import mix

_BEHIND_M, _AHEAD_M = -95.0, 130.0
#: Nearer to the coast than this a street can be a sea front.
_FRONT_KM = 0.6


@dataclass(frozen=True)
class Stage:
    """One scene in the making; ``own`` is the panorama's half of the nuisance seed."""

    place: Surroundings
    palette: Palette
    light: Light
    view: Viewpoint
    shapes: Shapes
    own: int

    def rng(self, *what: int) -> Random:
        """Random numbers of one thing in the scene: the same whichever way the camera looks."""
        return Random(mix(self.own, *what))

    @cached_property
    def road_m(self) -> float:
        """The carriageway's width."""
        width = (8.4, 7.0, 6.0, 5.2)[self.place.road_rank]
        return width * (1.4 if self.place.american else 1.0) * (0.82 + 0.22 * self.place.built)

    @cached_property
    def pavement_m(self) -> float:
        """The pavement's width on either side; none in the open country."""
        wide = (1.5 + 1.7 * self.place.built) if self.place.built > 0.16 else 0.0
        return wide * (1.0 + 0.12 * self.palette.look_wide)

    @cached_property
    def edge_m(self) -> float:
        """From the road's middle to where the plots begin."""
        return self.road_m / 2 + self.pavement_m

    @cached_property
    def commercial(self) -> bool:
        """Whether the street is one of shops and offices: main roads of towns, most of a downtown."""
        if self.place.built < 0.5:
            return False
        share = (0.62, 0.3, 0.08, 0.03)[self.place.road_rank] + 0.7 * self.place.downtown
        return self.rng(30).random() < share

    @cached_property
    def strip_mall(self) -> bool:
        """Whether its shops stand behind car parks."""
        return self.commercial and self.place.american and self.place.downtown < 0.4 and self.rng(31).random() < 0.7

    @cached_property
    def shore_m(self) -> float:
        """How far the water's edge is."""
        return 26 + 650 * max(0.0, self.place.coast_km)

    @cached_property
    def behind_m(self) -> float:
        """Where the street begins, behind the camera; before the sea where it comes from there."""
        return max(_BEHIND_M, -0.8 * self.shore_m) if self._sea_off(180.0) < 35 else _BEHIND_M

    @cached_property
    def ahead_m(self) -> float:
        """Where the street ends; before the sea where it leads there."""
        return min(_AHEAD_M, 0.8 * self.shore_m) if self._sea_off(0.0) < 35 else _AHEAD_M

    def faces_sea(self, side: int) -> bool:
        """Whether nothing stands between this side (-1 left, 1 right) of the street and the sea."""
        return self._sea_off(90.0 * side) < 50

    def _sea_off(self, turn: float) -> float:
        """Degrees between a direction, turned from the road's, and the sea; 180 where there is none."""
        if self.place.coast_km > _FRONT_KM:
            return 180.0
        return abs((self.place.road_bearing + turn - self.place.sea_bearing + 180) % 360 - 180)

    @cached_property
    def across(self) -> tuple[float, float]:
        """The direction of the picture's width on the ground: for what has no sides of its own."""
        cos, sin = self.view.turn
        return cos, -sin

    def foliage(self, rng: Random, spread: float = 0.12) -> Colour:
        """The colour of leaves, by season and chance."""
        bare, gold = (112, 98, 84), (176, 124, 52)
        colour = blend(self.palette.leaves, gold, 0.6 * self.light.autumn * rng.random())
        evergreen = self.palette.tree_shape in ("palm", "cactus", "conifer")
        colour = colour if evergreen else blend(bare, colour, self.light.leaf)
        return shade(colour, 1 + rng.uniform(-spread, spread) * 2)
