"""Lay the road and put along it what belongs there: plots, hedges, poles, signs, cars.

In: a stage. Out: shapes on the stage.
"""

from random import Random

from geolocate.emulator.buildings import build_house
from geolocate.emulator.nature import grow_tree
from geolocate.emulator.shapes import Colour, Shapes, blend, shade
from geolocate.emulator.stage import Stage

_BEHIND_M, _AHEAD_M = -95.0, 130.0
#: So built-up that the ground before the houses is paved.
_PAVED = 0.8
_YELLOW: Colour = (212, 172, 62)
_CARS: tuple[Colour, ...] = (
    (196, 198, 200), (60, 62, 66), (34, 34, 38), (224, 224, 224), (120, 124, 130), (52, 74, 116), (136, 40, 40),
)  # fmt: skip


def lay_road(stage: Stage, ground: Shapes) -> None:
    """Lay carriageway, pavements and markings."""
    half, edge = stage.road_m / 2, stage.edge_m
    rng = stage.rng(1)
    if stage.place.built > _PAVED:
        forecourt = edge + stage.palette.setback_m + 3
        _strip(ground, -forecourt, forecourt, shade(stage.palette.pavement, 0.94), 901)
    if stage.pavement_m:
        _strip(ground, -edge, edge, stage.palette.pavement, 900)
        _strip(ground, -half - 0.15, half + 0.15, shade(stage.palette.pavement, 0.8), 899)
    asphalt = blend(stage.palette.asphalt, (66, 68, 74), 0.6 * stage.light.wet)
    _strip(ground, -half, half, shade(asphalt, rng.uniform(0.9, 1.1)), 898)
    for _ in range(rng.randrange(4)):
        _patch(ground, rng, half, shade(asphalt, rng.choice((0.86, 1.1))))
    _mark(stage, ground, half)


def _strip(ground: Shapes, left: float, right: float, colour: Colour, depth: float) -> None:
    ground.polygon([(left, -400.0, 0.0), (left, 400.0, 0.0), (right, 400.0, 0.0), (right, -400.0, 0.0)], colour, depth)


def _patch(ground: Shapes, rng: Random, half: float, colour: Colour) -> None:
    x, y, wide, long = rng.uniform(-half, half - 1), rng.uniform(-25, 25), rng.uniform(0.6, 2), rng.uniform(2, 12)
    right = min(half, x + wide)
    ground.polygon([(x, y, 0.0), (x, y + long, 0.0), (right, y + long, 0.0), (right, y, 0.0)], colour, 897)


def _mark(stage: Stage, ground: Shapes, half: float) -> None:
    """Paint the middle and the edges as the country does."""
    place, white = stage.place, stage.palette.line
    if place.american:
        if place.road_rank < 3:
            for x in (-0.16, 0.16):
                _strip(ground, x - 0.06, x + 0.06, _YELLOW, 890)
        if place.built < 0.4:
            for side in (-1, 1):
                _strip(ground, side * (half - 0.45), side * (half - 0.33), white, 890)
    elif place.road_rank < 2:
        for start in range(-60, 90, 6):
            dash = [
                (x, float(y), 0.0) for x, y in ((-0.06, start), (-0.06, start + 3), (0.06, start + 3), (0.06, start))
            ]
            ground.polygon(dash, white, 890)
    if stage.palette.kerb_line is not None:
        for side in (-1, 1):
            for x in (0.25, 0.5):
                _strip(ground, side * (half - x), side * (half - x + 0.1), stage.palette.kerb_line, 889)


def fill_plots(stage: Stage) -> None:
    """Fill both sides: houses where it is built-up, trees and hedges where it is not."""
    for side in (-1, 1):
        rng = stage.rng(2, side + 1)
        y = _BEHIND_M + rng.uniform(0, 10)
        index = 0
        while y < _AHEAD_M:
            index += 1
            y += _fill_plot(stage, side, y, stage.rng(3, side + 1, index))


def _fill_plot(stage: Stage, side: int, y: float, rng: Random) -> float:
    """Fill one plot that begins at ``y``; return its length along the road."""
    palette, place = stage.palette, stage.place
    house_m = max(4.0, palette.frontage_m * rng.uniform(0.85, 1.2))
    gap_m = 0.0 if rng.random() < palette.terraced else rng.uniform(1.5, 5) * (1.8 if place.american else 1.0)
    if rng.random() < min(0.97, 1.55 * place.built + 0.02):
        build_house(stage, side, y, y + house_m, rng)
        if palette.setback_m > 3 and rng.random() < palette.trees * 0.8:
            grow_tree(stage, side * (stage.edge_m + rng.uniform(1, palette.setback_m)), y + house_m * rng.random(), rng)
    else:
        for _ in range(1 + int(4 * rng.random() * (palette.trees + place.forest))):
            if rng.random() < palette.trees + 0.3 * place.forest:
                away = stage.edge_m + 2 + rng.expovariate(1 / 9)
                grow_tree(stage, side * away, y + house_m * rng.random(), rng)
    if place.built < 0.9 and palette.setback_m > 2:
        _bound(stage, side, (y, y + house_m + gap_m), rng)
    return house_m + gap_m


def _bound(stage: Stage, side: int, reach: tuple[float, float], rng: Random) -> None:
    """Close a plot towards the road as the place does."""
    palette = stage.palette
    kind = palette.boundary if rng.random() < 0.8 else "open"
    near, far = reach
    x, high = side * (stage.edge_m + 0.15), palette.boundary_m * rng.uniform(0.85, 1.15)
    if kind == "open" or not stage.view.sees(x, (near + far) / 2, (far - near) / 2 + 1):
        return
    depth = stage.view.distance(x, min(max(0.0, near), far))
    bright = stage.light.on_wall(stage.place.road_bearing - 90 * side)
    if kind in ("fence", "metal"):
        _rails(stage, (x, near, far, high), depth)
    elif kind == "hedge":
        _hedge(stage, (x, near, far, high * 1.2), depth, rng)
    else:
        colour = palette.walls[0][0] if kind == "wall" else palette.boundary_colour
        face = [(x, near, 0.0), (x, far, 0.0), (x, far, high), (x, near, high)]
        stage.shapes.polygon(face, shade(colour, bright * rng.uniform(0.92, 1.05)), depth)
        stage.shapes.line((x, near, high), (x, far, high), shade(colour, 0.7), depth, 0.08)


def _rails(stage: Stage, run: tuple[float, float, float, float], depth: float) -> None:
    x, near, far, high = run
    metal = stage.palette.boundary == "metal"
    colour = stage.palette.pole if metal else stage.palette.boundary_colour
    for height in (high, high * 0.45):
        stage.shapes.line((x, near, height), (x, far, height), colour, depth, 0.05 if metal else 0.14)
    if depth < 45:
        every = 0.35 if metal and depth < 15 else 1.6
        for index in range(int((far - near) / every)):
            y = near + index * every
            stage.shapes.line((x, y, 0.0), (x, y, high * 1.05), colour, depth, 0.03 if metal else 0.12)


def _hedge(stage: Stage, run: tuple[float, float, float, float], depth: float, rng: Random) -> None:
    x, near, far, high = run
    base = shade(stage.foliage(rng), 0.75)
    stage.shapes.polygon([(x, near, 0.0), (x, far, 0.0), (x, far, high), (x, near, high)], base, depth)
    for _ in range(int((far - near) * (2.2 if depth < 25 else 0.6))):
        spot = (x, rng.uniform(near, far), high * rng.uniform(0.1, 1.0))
        stage.shapes.blob(spot, rng.uniform(0.12, 0.3), shade(stage.foliage(rng), 0.9), depth)


def place_furniture(stage: Stage) -> None:
    """Set lamps, wires and signs at their usual distances."""
    place = stage.place
    rng = stage.rng(4)
    every, start = (28.0 if place.built > 0.5 else 42.0), rng.uniform(0, 25)
    wired = place.american or place.built < 0.35 or place.look[23] > 0.5
    side = rng.choice((-1, 1))
    for index in range(-2, 4):
        y = start + index * every
        if place.built > 0.16:
            _lamp(stage, side * (stage.road_m / 2 + 0.4), y, side)
        if wired:
            _pole(stage, -side * (stage.edge_m + 0.3), y + every / 2, every)
    if rng.random() < 0.6:
        _sign(stage, -side, rng)


def _lamp(stage: Stage, x: float, y: float, side: int) -> None:
    if not stage.view.sees(x, y, 8):
        return
    depth, colour, kind = stage.view.distance(x, y), stage.palette.pole, stage.palette.lamp
    high = 4.2 if kind in ("lantern", "globe") else 7.5
    stage.shapes.line((x, y, 0.0), (x, y, high), colour, depth, 0.14)
    if kind in ("lantern", "globe"):
        stage.shapes.blob((x, y, high), 0.28, (226, 224, 214), depth)
        return
    for arm in (-side, side) if kind == "double" else (-side,):
        stage.shapes.line((x, y, high), (x + arm * 1.6, y, high + 0.3), colour, depth, 0.1)
        stage.shapes.line(
            (x + arm * 1.2, y, high + 0.25), (x + arm * 1.9, y, high + 0.33), (210, 208, 200), depth, 0.16
        )


def _pole(stage: Stage, x: float, y: float, every: float) -> None:
    """A wooden pole, with wires to the next."""
    depth = stage.view.distance(x, y)
    high = 8.5 if stage.place.american else 7.2
    brown = (104, 88, 74)
    if stage.view.sees(x, y, 9):
        stage.shapes.line((x, y, 0.0), (x, y, high), brown, depth, 0.24)
        if stage.place.american:
            stage.shapes.line((x - 1, y, high - 0.6), (x + 1, y, high - 0.6), brown, depth, 0.14)
    for offset in (-0.9, 0.9) if stage.place.american else (0.0,):
        for part in range(4):
            ends = [(x + offset, y + every * at, high - 0.5 - 2.4 * at * (1 - at)) for at in (part / 4, (part + 1) / 4)]
            stage.shapes.line(ends[0], ends[1], (58, 58, 60), depth, 0.03)


def _sign(stage: Stage, side: int, rng: Random) -> None:
    """A traffic sign in the country's shapes."""
    x, y = side * (stage.road_m / 2 + 0.6), rng.uniform(6, 26) * rng.choice((-1, 1))
    depth = stage.view.distance(x, y)
    stage.shapes.line((x, y, 0.0), (x, y, 2.4), (150, 152, 152), depth, 0.09)
    if stage.place.american:
        colour = rng.choice(((228, 186, 44), (238, 238, 238), (176, 38, 40)))
        tip = [(x, y, 1.9), (x + 0.45, y, 2.35), (x, y, 2.8), (x - 0.45, y, 2.35)]
        stage.shapes.polygon(tip, colour, depth)
        return
    stage.shapes.blob((x, y, 2.4), 0.38, (186, 36, 40), depth)
    stage.shapes.blob((x, y, 2.4), 0.27, rng.choice(((240, 240, 240), (38, 82, 160))), depth)


def park_cars(stage: Stage) -> None:
    """Park and drive cars, on the country's side."""
    rng = stage.rng(5)
    left = -1 if stage.place.drives_left else 1
    for index in range(1 + int(7 * stage.place.built * rng.random())):
        own = stage.rng(6, index)
        parked = own.random() < 0.75 and stage.place.built > 0.2
        side = own.choice((-1, 1))
        x = side * (stage.road_m / 2 - 1.0 if parked else stage.road_m / 4)
        y = own.uniform(6.5, 70) * own.choice((-1, 1))
        # Those on the camera's own side are seen from behind when ahead of it.
        _car(stage, x, y, own, tail=(side == left) == (y > 0))


def _car(stage: Stage, x: float, y: float, rng: Random, *, tail: bool) -> None:
    if not stage.view.sees(x, y, 3):
        return
    paint = shade(rng.choice(_CARS), rng.uniform(0.9, 1.1))
    wide, long, high = 0.88, 2.15, rng.uniform(1.4, 1.85) * (1.1 if stage.place.american else 1.0)
    depth = stage.view.distance(x, y) - 2
    y0, y1 = y - long, y + long
    stage.shapes.polygon(
        [(x - wide, y0, 0.02), (x - wide, y1, 0.02), (x + wide, y1, 0.02), (x + wide, y0, 0.02)],
        (48, 48, 50),
        depth + 0.4,
    )
    end = y0 if y > 0 else y1
    flank = x - wide if x > stage.view.x else x + wide
    side = stage.light.on_wall(stage.place.road_bearing - 90 * (1 if flank < x else -1))
    _box(stage, (flank, flank), (y0, y1), (0.25, high * 0.6), shade(paint, side), depth + 0.2)
    _box(stage, (flank, flank), (y0 + 0.7, y1 - 0.5), (high * 0.6, high), (54, 60, 66), depth + 0.2)
    for wheel in (y0 + 0.8, y1 - 0.8):
        stage.shapes.blob((flank, wheel, 0.32), 0.33, (30, 30, 32), depth + 0.1)
    _box(stage, (x - wide, x + wide), (end, end), (0.25, high * 0.62), paint, depth)
    _box(stage, (x - wide * 0.85, x + wide * 0.85), (end, end), (high * 0.62, high), (58, 66, 74), depth)
    lights = (170, 30, 30) if tail else (236, 236, 226)
    for lamp in (-0.68, 0.68):
        _box(stage, (x + lamp - 0.13, x + lamp + 0.13), (end, end), (0.62, 0.82), lights, depth)
    _plate(stage, x, end, depth, tail=tail)


def _plate(stage: Stage, x: float, y: float, depth: float, *, tail: bool) -> None:
    """A number plate: long, and yellow behind, in Britain; short and white in America."""
    american = stage.place.american
    half = 0.16 if american else 0.27
    colour = (224, 188, 54) if tail and not american else (232, 232, 230)
    _box(stage, (x - half, x + half), (y, y), (0.42, 0.57), colour, depth)


def _box(
    stage: Stage,
    xs: tuple[float, float],
    ys: tuple[float, float],
    zs: tuple[float, float],
    colour: Colour,
    depth: float,
) -> None:
    """An upright face between two points."""
    (x0, x1), (y0, y1), (z0, z1) = xs, ys, zs
    stage.shapes.polygon([(x0, y0, z0), (x1, y1, z0), (x1, y1, z1), (x0, y0, z1)], colour, depth)
