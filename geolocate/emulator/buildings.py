"""Build houses, shops and towers along the road.

In: a stage and where a plot lies. Out: shapes on the stage.
"""

from dataclasses import dataclass
from random import Random

from geolocate.emulator.palettes import Material
from geolocate.emulator.shapes import Colour, blend, shade
from geolocate.emulator.stage import Stage

_STOREY_M = 2.9
#: Beyond this no windows are drawn, and within that every course of bricks is.
_WINDOWS_M, _COURSES_M = 75.0, 16.0
_RULES = {"course": 0.34, "board": 0.3, "block": 0.55}
#: From so many storeys a building is a tower, whose windows are bands.
_TOWER = 6
_FASCIAS: tuple[Colour, ...] = (
    (34, 40, 52), (120, 30, 34), (28, 74, 58), (36, 62, 120), (216, 208, 190), (58, 56, 54), (196, 120, 40),
    (150, 150, 146),
)  # fmt: skip
_TOWERS: tuple[Material, ...] = (
    ((112, 132, 148), "plain"), ((186, 180, 168), "plain"), ((148, 104, 84), "course"), ((92, 100, 108), "plain"),
)  # fmt: skip


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
    shop: bool

    @property
    def eaves(self) -> float:
        """The height of the walls."""
        return self.storeys * _STOREY_M + (1.4 if self.shop and not self.pitched else 0.4)

    @property
    def back(self) -> float:
        """Where the house ends, away from the road."""
        return self.x + self.side * self.depth_m

    @property
    def turn(self) -> float:
        """Where the front faces, in degrees from the road's direction."""
        return -90.0 * self.side


def build_house(stage: Stage, side: int, near: float, far: float, rng: Random) -> None:
    """Build what stands on a plot that reaches from ``near`` to ``far`` along the road."""
    house = _planned(stage, side, (near, far), rng)
    middle = (near + far) / 2
    if not stage.view.sees(house.x, middle, (far - near) / 2 + house.depth_m + min(house.eaves, 20.0)):
        return
    depth = stage.view.distance(house.x, min(max(0.0, near), far)) + 0.5
    _walls(stage, house, depth)
    if house.pitched:
        _roof(stage, house, depth, rng)
    if house.storeys >= _TOWER:
        _bands(stage, house, depth)
    _front(stage, house, depth, rng)
    if stage.place.american and not house.shop and house.storeys < 3 and depth < 60:
        _porch(stage, house, depth, rng)


def _planned(stage: Stage, side: int, reach: tuple[float, float], rng: Random) -> House:
    """Decide what to build."""
    palette, place = stage.palette, stage.place
    shop = stage.commercial and rng.random() < 0.85
    storeys = max(1, round(palette.storeys + rng.gauss(0, 0.4)))
    tall = place.downtown * rng.random() ** 2 * (46 if place.american else 14)
    storeys = max(storeys, int(tall)) if place.downtown > 0.25 else storeys
    # A strip of shops stands behind its car park.
    strip = shop and stage.strip_mall
    setback = 16.0 if strip else 0.0 if shop else max(0.6, palette.setback_m * rng.uniform(0.8, 1.2))
    storeys = 1 if strip else storeys
    tower = storeys >= _TOWER
    material = rng.choices(palette.walls, palette.wall_shares)[0]
    if tower and rng.random() < 0.75:
        material = rng.choice(_TOWERS)
    return House(
        side=side,
        x=side * (stage.edge_m + setback),
        near=reach[0],
        far=reach[1],
        depth_m=rng.uniform(7, 11) * (2.0 if tower else 1.0),
        storeys=storeys,
        wall=(shade(material[0], rng.uniform(0.9, 1.1)), material[1]),
        roof=shade(palette.roof, rng.uniform(0.86, 1.12)),
        pitched=palette.roof_pitch > 0.2 and storeys < 5 and not (place.american and shop) and rng.random() < 0.95,
        shop=shop,
    )


def _lit(stage: Stage, colour: Colour, turn: float) -> Colour:
    """A wall's colour by the sun; ``turn`` is where it faces, from the road's direction."""
    return shade(colour, stage.light.on_wall(stage.place.road_bearing + turn))


def _panel(stage: Stage, house: House, box: tuple[float, float, float, float], fill: Colour, depth: float) -> None:
    """A face in the front's plane: from and to along the road, from and to upwards."""
    y0, y1, z0, z1 = box
    corners = [(house.x, y0, z0), (house.x, y1, z0), (house.x, y1, z1), (house.x, y0, z1)]
    stage.shapes.polygon(corners, fill, depth)


def _walls(stage: Stage, house: House, depth: float) -> None:
    """The gable wall towards the camera and the front, as plain faces."""
    top, colour = house.eaves, house.wall[0]
    for y, turn in ((house.far, 0.0), (house.near, 180.0)):
        # Only the gable towards the camera can be seen.
        if (y > 0) == (turn == 180.0):
            wall = [(house.x, y, 0.0), (house.back, y, 0.0), (house.back, y, top)]
            if house.pitched:
                ridge = top + stage.palette.roof_pitch * house.depth_m / 2
                wall.append(((house.x + house.back) / 2, y, ridge))
            stage.shapes.polygon([*wall, (house.x, y, top)], _lit(stage, colour, turn), depth)
    _panel(stage, house, (house.near, house.far, 0.0, top), _lit(stage, colour, house.turn), depth)
    if not house.pitched:
        cornice = _lit(stage, shade(stage.palette.trim, 0.9), house.turn)
        _panel(stage, house, (house.near, house.far, top - 0.4, top), cornice, depth)


def _roof(stage: Stage, house: House, depth: float, rng: Random) -> None:
    """The slope towards the road with its courses, and a chimney where houses have them."""
    middle = (house.x + house.back) / 2
    eaves = house.x - house.side * 0.35
    ridge = house.eaves + stage.palette.roof_pitch * house.depth_m / 2
    low = house.eaves - 0.2
    slope = [(eaves, house.near, low), (eaves, house.far, low), (middle, house.far, ridge), (middle, house.near, ridge)]
    colour = _lit(stage, shade(house.roof, 1.05), house.turn)
    stage.shapes.polygon(slope, colour, depth)
    if depth < 30:
        for share in (0.2, 0.4, 0.6, 0.8):
            x, z = eaves + (middle - eaves) * share, low + (ridge - low) * share
            stage.shapes.line((x, house.near, z), (x, house.far, z), shade(colour, 0.88), depth, 0.04)
        gutter = (eaves, house.near, low), (eaves, house.far, low)
        stage.shapes.line(*gutter, _lit(stage, stage.palette.trim, house.turn), depth, 0.12)
    if not stage.place.american and rng.random() < 0.85:
        _chimney(stage, house, (middle, rng.choice((house.near + 0.6, house.far - 0.6)), ridge), depth)


def _chimney(stage: Stage, house: House, top: tuple[float, float, float], depth: float) -> None:
    """A stack with its pots."""
    x, y, ridge = top
    half, high = 0.5, ridge + 1.1
    stack = [(x, y - half, ridge - 0.7), (x, y + half, ridge - 0.7), (x, y + half, high), (x, y - half, high)]
    stage.shapes.polygon(stack, _lit(stage, shade(house.wall[0], 0.92), house.turn), depth)
    if depth < 50:
        for pot in (-0.25, 0.2):
            stage.shapes.line((x, y + pot, high), (x, y + pot, high + 0.4), (176, 108, 78), depth, 0.2)


def _bands(stage: Stage, house: House, depth: float) -> None:
    """A tower's windows, storey by storey, and its mullions."""
    glass = _lit(stage, blend((58, 70, 82), stage.light.sky_low, 0.3), house.turn)
    gable_y = house.near if house.near > 0 else house.far
    for storey in range(3, house.storeys):
        z = storey * _STOREY_M + 0.9
        _panel(stage, house, (house.near + 0.5, house.far - 0.5, z, z + 1.5), glass, depth)
        if depth < 90:
            xs = (house.x + house.side * 0.8, house.back - house.side * 0.8)
            band = [(xs[0], gable_y, z), (xs[1], gable_y, z), (xs[1], gable_y, z + 1.5), (xs[0], gable_y, z + 1.5)]
            stage.shapes.polygon(band, shade(glass, 0.9), depth)
    count = max(2, int((house.far - house.near) / stage.palette.window_every_m))
    wall = _lit(stage, house.wall[0], house.turn)
    for index in range(1, count):
        y = house.near + (house.far - house.near) * index / count
        ends = (house.x, y, 3 * _STOREY_M), (house.x, y, house.eaves)
        stage.shapes.line(*ends, wall, depth, 0.3)


def _front(stage: Stage, house: House, depth: float, rng: Random) -> None:
    """Courses, windows, the door or the shop."""
    if depth < _COURSES_M and house.wall[1] in _RULES:
        _courses(stage, house, depth)
    if depth > _WINDOWS_M:
        return
    palette = stage.palette
    wide, high = palette.window_m
    count = max(1, int((house.far - house.near - 0.6) / palette.window_every_m))
    door = rng.randrange(count)
    glass = blend((60, 70, 80), stage.light.sky_low, rng.uniform(0.1, 0.45))
    paint = palette.doors if rng.random() < 0.45 else rng.choice(_FASCIAS)
    for storey in range(min(house.storeys, 3) if house.storeys >= _TOWER else house.storeys):
        for index in range(count):
            y = house.near + (house.far - house.near) * (index + 0.5) / count
            if storey == 0 and house.shop:
                _opening(stage, house, (y, 0.4, palette.window_every_m * 0.86, 2.1), glass, depth)
            elif storey == 0 and index == door:
                _opening(stage, house, (y, 0.0, 0.95, 2.1), shade(paint, rng.uniform(0.85, 1.15)), depth)
            else:
                _opening(stage, house, (y, storey * _STOREY_M + 0.95, wide, high), glass, depth)
    if house.shop:
        _fascia(stage, house, depth, rng)


def _courses(stage: Stage, house: House, depth: float) -> None:
    """Lines between bricks, boards or blocks; blocks have joints too."""
    mortar = shade(_lit(stage, house.wall[0], house.turn), 0.89)
    every = _RULES[house.wall[1]]
    for course in range(1, int(min(house.eaves, 7.5) / every)):
        z = course * every
        stage.shapes.line((house.x, max(house.near, -25.0), z), (house.x, min(house.far, 25.0), z), mortar, depth, 0.03)
        if house.wall[1] == "block" and depth < 12:
            for joint in range(-9, 9):
                y = joint * 1.1 + 0.55 * (course % 2)
                if house.near < y < house.far:
                    stage.shapes.line((house.x, y, z - every), (house.x, y, z), mortar, depth, 0.03)


def _opening(stage: Stage, house: House, box: tuple[float, float, float, float], fill: Colour, depth: float) -> None:
    """A window or door: middle, sill, width and height in metres, in a frame of the place's trim."""
    y, sill, wide, high = box
    near = depth < 45
    if near:
        grown = (y - wide / 2 - 0.12, y + wide / 2 + 0.12, sill - 0.12, sill + high + 0.12)
        _panel(stage, house, grown, _lit(stage, stage.palette.trim, house.turn), depth)
    _panel(stage, house, (y - wide / 2, y + wide / 2, sill, sill + high), fill, depth)
    if near and high > 0.9 and sill > 0.6:
        trim = _lit(stage, stage.palette.trim, house.turn)
        if stage.palette.sashes:
            middle = sill + high / 2
            stage.shapes.line((house.x, y - wide / 2, middle), (house.x, y + wide / 2, middle), trim, depth, 0.07)
        else:
            stage.shapes.line((house.x, y, sill), (house.x, y, sill + high), trim, depth, 0.06)


def _fascia(stage: Stage, house: House, depth: float, rng: Random) -> None:
    """A shop's fascia, and the tall sign of a strip of shops by the road."""
    colour = shade(rng.choice(_FASCIAS), rng.uniform(0.85, 1.15))
    _panel(stage, house, (house.near, house.far, 2.7, 3.45), colour, depth)
    if depth < 40:
        middle, half = (house.near + house.far) / 2, (house.far - house.near) * 0.22
        _panel(stage, house, (middle - half, middle + half, 2.95, 3.2), blend(colour, (244, 240, 228), 0.8), depth)
    if stage.strip_mall and rng.random() < 0.6:
        x, y = house.side * (stage.edge_m + 1.5), (house.near + house.far) / 2
        near = stage.view.distance(x, y)
        stage.shapes.line((x, y, 0.0), (x, y, 6.0), (120, 122, 124), near, 0.25)
        face = [(x - 1.3, y, 4.6), (x + 1.3, y, 4.6), (x + 1.3, y, 6.6), (x - 1.3, y, 6.6)]
        stage.shapes.polygon(face, colour, near)


def _porch(stage: Stage, house: House, depth: float, rng: Random) -> None:
    """What an American house has before it: a porch on posts, or a garage door."""
    kind = rng.random()
    long = min(house.far - house.near, 7.0)
    if kind < 0.4 * (1 - stage.place.arid):
        x, y0, y1 = house.x - house.side * 1.8, house.near + 0.3, house.near + long - 0.3
        roof = [(house.x, y0, 3.1), (house.x, y1, 3.1), (x, y1, 2.6), (x, y0, 2.6)]
        trim = _lit(stage, stage.palette.trim, house.turn)
        stage.shapes.polygon(roof, shade(house.roof, 0.95), depth - 0.1)
        stage.shapes.line((x, y0, 2.6), (x, y1, 2.6), trim, depth - 0.1, 0.2)
        for index in range(4):
            y = y0 + (y1 - y0) * index / 3
            stage.shapes.line((x, y, 0.3), (x, y, 2.6), trim, depth - 0.1, 0.16)
        stage.shapes.line((x, y0, 0.25), (x, y1, 0.25), shade(trim, 0.8), depth - 0.1, 0.3)
    elif kind < 0.8:
        door = _lit(stage, blend(house.wall[0], (228, 228, 224), 0.75), house.turn)
        _panel(stage, house, (house.far - 5.4, house.far - 0.5, 0.0, 2.2), door, depth)
        for z in (0.55, 1.1, 1.65):
            ends = (house.x, house.far - 5.4, z), (house.x, house.far - 0.5, z)
            stage.shapes.line(*ends, shade(door, 0.86), depth, 0.04)
