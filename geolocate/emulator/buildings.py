"""Build houses and shops along the road.

In: a stage and where a plot lies. Out: shapes on the stage.
"""

from dataclasses import dataclass
from random import Random

from geolocate.emulator.palettes import Material
from geolocate.emulator.shapes import Colour, blend, shade
from geolocate.emulator.stage import Stage

_STOREY_M = 2.9
#: Beyond this no windows are drawn, and within that every course of bricks is.
_WINDOWS_M, _COURSES_M = 60.0, 14.0
_RULES = {"course": 0.34, "board": 0.3, "block": 0.55}


@dataclass(frozen=True, slots=True)
class House:
    """A building: ``side`` is -1 left or 1 right of the road, its front at ``x``, from ``near`` to ``far`` along it."""

    side: int
    x: float
    near: float
    far: float
    depth_m: float
    storeys: int
    wall: Material
    roof: Colour
    pitched: bool

    @property
    def eaves(self) -> float:
        """The height of the walls."""
        return self.storeys * _STOREY_M + 0.4

    @property
    def back(self) -> float:
        """Where the house ends, away from the road."""
        return self.x + self.side * self.depth_m


def build_house(stage: Stage, side: int, near: float, far: float, rng: Random) -> None:
    """Build one house on a plot that reaches from ``near`` to ``far`` along the road."""
    palette = stage.palette
    setback = max(0.6, palette.setback_m * rng.uniform(0.8, 1.2) * (1 if stage.place.built < 0.9 else 0.25))
    core = max(0.0, stage.place.built - 0.8) * 5
    storeys = max(1, round(palette.storeys + rng.gauss(0, 0.35 + (1.6 if stage.place.american else 0.6) * core)))
    material = rng.choices(palette.walls, palette.wall_shares)[0]
    house = House(
        side=side,
        x=side * (stage.edge_m + setback),
        near=near,
        far=far,
        depth_m=rng.uniform(7, 11),
        storeys=storeys,
        wall=(shade(material[0], rng.uniform(0.9, 1.1)), material[1]),
        roof=shade(palette.roof, rng.uniform(0.86, 1.12)),
        pitched=palette.roof_pitch > 0.2 and storeys < 5 and rng.random() < 0.97 - 0.5 * core,
    )
    if not stage.view.sees(house.x, (near + far) / 2, (far - near) / 2 + house.depth_m + house.eaves):
        return
    depth = stage.view.distance(house.x, min(max(0.0, near), far)) + 0.5
    _walls(stage, house, depth)
    if house.pitched:
        _roof(stage, house, depth, rng)
    _front(stage, house, depth, rng)


def _lit(stage: Stage, colour: Colour, turn: float) -> Colour:
    """A wall's colour by the sun; ``turn`` is where it faces, from the road's direction."""
    return shade(colour, stage.light.on_wall(stage.place.road_bearing + turn))


def _walls(stage: Stage, house: House, depth: float) -> None:
    """The two gable walls and the front, as plain faces."""
    top, colour = house.eaves, house.wall[0]
    for y, turn in ((house.far, 0.0), (house.near, 180.0)):
        # Only the gable towards the camera can be seen.
        if (y > 0) == (turn == 180.0):
            wall = [(house.x, y, 0.0), (house.back, y, 0.0), (house.back, y, top)]
            if house.pitched:
                ridge = top + stage.palette.roof_pitch * house.depth_m / 2
                wall.append(((house.x + house.back) / 2, y, ridge))
            stage.shapes.polygon([*wall, (house.x, y, top)], _lit(stage, colour, turn), depth)
    front = [(house.x, y, z) for y, z in ((house.near, 0.0), (house.far, 0.0), (house.far, top), (house.near, top))]
    stage.shapes.polygon(front, _lit(stage, colour, -90.0 * house.side), depth)
    if not house.pitched:
        edge = [
            (house.x, y, z)
            for y, z in ((house.near, top), (house.far, top), (house.far, top - 0.4), (house.near, top - 0.4))
        ]
        stage.shapes.polygon(edge, _lit(stage, stage.palette.trim, -90.0 * house.side), depth)


def _roof(stage: Stage, house: House, depth: float, rng: Random) -> None:
    """The slope towards the road, and a chimney where houses have them."""
    middle = (house.x + house.back) / 2
    eaves = house.x - house.side * 0.35
    ridge = house.eaves + stage.palette.roof_pitch * house.depth_m / 2
    low = house.eaves - 0.2
    slope = [(eaves, house.near, low), (eaves, house.far, low), (middle, house.far, ridge), (middle, house.near, ridge)]
    stage.shapes.polygon(slope, _lit(stage, shade(house.roof, 1.05), -90.0 * house.side), depth)
    if not stage.place.american and rng.random() < 0.8:
        y, wide = rng.choice((house.near + 0.5, house.far - 0.5)), 0.45
        pot = [
            (middle, y - wide, ridge - 0.6),
            (middle, y + wide, ridge - 0.6),
            (middle, y + wide, ridge + 1.1),
            (middle, y - wide, ridge + 1.1),
        ]
        stage.shapes.polygon(pot, _lit(stage, house.wall[0], -90.0 * house.side), depth)


def _front(stage: Stage, house: House, depth: float, rng: Random) -> None:
    """Courses, windows and the door."""
    if depth < _COURSES_M and house.wall[1] in _RULES:
        mortar = shade(_lit(stage, house.wall[0], -90.0 * house.side), 0.9 if house.wall[1] != "course" else 0.88)
        every = _RULES[house.wall[1]]
        for course in range(1, int(min(house.eaves, 7.5) / every)):
            ends = (house.x, max(house.near, -25.0), course * every), (house.x, min(house.far, 25.0), course * every)
            stage.shapes.line(*ends, mortar, depth, 0.03)
    if depth > _WINDOWS_M:
        return
    palette = stage.palette
    wide, high = palette.window_m
    count = max(1, int((house.far - house.near - 0.6) / palette.window_every_m))
    door = rng.randrange(count)
    shop = stage.place.built > 0.86 and rng.random() < 0.55
    glass = blend((66, 76, 86), stage.light.sky_low, rng.uniform(0.1, 0.5))
    for storey in range(house.storeys):
        floor = storey * _STOREY_M
        for index in range(count):
            y = house.near + (house.far - house.near) * (index + 0.5) / count
            if storey == 0 and index == door:
                _opening(stage, house, (y, 0.0, 0.95, 2.1), shade(palette.doors, rng.uniform(0.7, 1.2)), depth)
            elif storey == 0 and shop:
                _opening(stage, house, (y, 0.5, palette.window_every_m * 0.85, 2.0), glass, depth)
            else:
                _opening(stage, house, (y, floor + 0.95, wide, high), glass, depth)
    if shop:
        _sign(stage, house, depth, rng)


def _opening(stage: Stage, house: House, box: tuple[float, float, float, float], fill: Colour, depth: float) -> None:
    """A window or door: middle, sill, width and height in metres, in a frame of the place's trim."""
    y, sill, wide, high = box
    near = depth < 45
    for grow, colour in ((0.12, stage.palette.trim), (0.0, fill)) if near else ((0.0, fill),):
        y0, y1, z0, z1 = y - wide / 2 - grow, y + wide / 2 + grow, sill - grow, sill + high + grow
        corners = [(house.x, y0, z0), (house.x, y1, z0), (house.x, y1, z1), (house.x, y0, z1)]
        stage.shapes.polygon(corners, colour, depth)
    if near and high > 0.9 and sill > 0.2:
        stage.shapes.line((house.x, y, sill), (house.x, y, sill + high), stage.palette.trim, depth, 0.06)


def _sign(stage: Stage, house: House, depth: float, rng: Random) -> None:
    """A shop's fascia."""
    colour = blend(stage.palette.doors, (rng.uniform(20, 230), rng.uniform(20, 200), rng.uniform(20, 200)), 0.75)
    band = [
        (house.x, house.near, 2.6),
        (house.x, house.far, 2.6),
        (house.x, house.far, 3.3),
        (house.x, house.near, 3.3),
    ]
    stage.shapes.polygon(band, colour, depth)
