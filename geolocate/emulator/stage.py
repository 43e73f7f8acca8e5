"""What every builder of a scene is handed: the place, its palette, its light, and where the shapes go."""

from dataclasses import dataclass
from random import Random

from geolocate.emulator.camera import Viewpoint
from geolocate.emulator.light import Light
from geolocate.emulator.noise import mix
from geolocate.emulator.palettes import Palette
from geolocate.emulator.shapes import Colour, Shapes, blend, shade
from geolocate.emulator.world import Surroundings


@dataclass(frozen=True, slots=True)
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

    @property
    def road_m(self) -> float:
        """The carriageway's width."""
        width = (8.4, 7.0, 6.0, 5.2)[self.place.road_rank]
        return width * (1.35 if self.place.american else 1.0) * (0.82 + 0.22 * self.place.built)

    @property
    def pavement_m(self) -> float:
        """The pavement's width on either side; none in the open country."""
        wide = (1.5 + 1.7 * self.place.built) if self.place.built > 0.16 else 0.0
        return wide * (1.0 + 0.12 * self.palette.look_wide)

    @property
    def edge_m(self) -> float:
        """From the road's middle to where the plots begin."""
        return self.road_m / 2 + self.pavement_m

    def foliage(self, rng: Random, spread: float = 0.12) -> Colour:
        """The colour of leaves, by season and chance."""
        bare, gold = (112, 98, 84), (176, 124, 52)
        colour = blend(self.palette.leaves, gold, 0.6 * self.light.autumn * rng.random())
        evergreen = self.palette.tree_shape in ("palm", "cactus", "conifer")
        colour = colour if evergreen else blend(bare, colour, self.light.leaf)
        return shade(colour, 1 + rng.uniform(-spread, spread) * 2)
