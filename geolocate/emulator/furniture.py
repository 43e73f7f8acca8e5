"""Set along a street what the country sets there: lamps, wires, signs, boxes, traffic lights.

In: a stage. Out: shapes on the stage.
"""

from random import Random

from geolocate.emulator.shapes import Colour
from geolocate.emulator.stage import Stage

_METAL: Colour = (150, 152, 152)
_WOOD: Colour = (104, 88, 74)


def place_furniture(stage: Stage) -> None:
    """Set lamps, wires, signs and boxes at their usual distances."""
    place = stage.place
    rng = stage.rng(4)
    every, start = (28.0 if place.built > 0.5 else 42.0), rng.uniform(0, 25)
    # The middles of large cities have their wires underground.
    wired = place.downtown < 0.4 and (place.american or place.built < 0.35 or place.look[23] > 0.5)
    side = rng.choice((-1, 1))
    for index in range(-2, 4):
        y = start + index * every
        if place.built > 0.16 and stage.behind_m < y < stage.ahead_m:
            _lamp(stage, side * (stage.road_m / 2 + 0.4), y, side)
        if wired and not stage.faces_sea(-side):
            _pole(stage, -side * (stage.edge_m + 0.3), y + every / 2, every)
    if rng.random() < 0.6:
        _sign(stage, -side, rng)
    if place.built > 0.3:
        _street_boxes(stage, side, stage.rng(8))
    if place.built > 0.55 and place.road_rank < 2 and rng.random() < 0.5:
        _signals(stage, rng)


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
        head = (x + arm * 1.2, y, high + 0.25), (x + arm * 1.9, y, high + 0.33)
        stage.shapes.line(*head, (210, 208, 200), depth, 0.16)


def _pole(stage: Stage, x: float, y: float, every: float) -> None:
    """A wooden pole, with wires to the next."""
    depth = stage.view.distance(x, y)
    american = stage.place.american
    high = 9.5 if american else 7.2
    if stage.view.sees(x, y, 9):
        stage.shapes.line((x, y, 0.0), (x, y, high), _WOOD, depth, 0.26)
        if american:
            stage.shapes.line((x - 1.1, y, high - 0.6), (x + 1.1, y, high - 0.6), _WOOD, depth, 0.14)
            stage.shapes.line((x + 0.35, y, high - 2.4), (x + 0.35, y, high - 1.5), (146, 150, 154), depth, 0.4)
    for offset in (-1.0, 0.0, 1.0) if american else (0.0,):
        for part in range(4):
            ends = [(x + offset, y + every * at, high - 0.5 - 2.4 * at * (1 - at)) for at in (part / 4, (part + 1) / 4)]
            stage.shapes.line(ends[0], ends[1], (58, 58, 60), depth, 0.03)


def _sign(stage: Stage, side: int, rng: Random) -> None:
    """A traffic sign in the country's shapes."""
    x, y = side * (stage.road_m / 2 + 0.6), rng.uniform(6, 26) * rng.choice((-1, 1))
    if not stage.view.sees(x, y, 3):
        return
    depth = stage.view.distance(x, y)
    stage.shapes.line((x, y, 0.0), (x, y, 2.4), _METAL, depth, 0.09)
    if stage.place.irish and rng.random() < 0.5:
        _diamond(stage, (x, y, 2.35), (236, 190, 40), depth)
    elif stage.place.american:
        kind = rng.randrange(3)
        if kind == 2:
            _octagon(stage, (x, y, 2.4), depth)
        elif kind == 1:
            _panel(stage, (x, y, 2.0), (0.6, 0.76), (238, 238, 238), depth)
        else:
            _diamond(stage, (x, y, 2.35), (228, 186, 44), depth)
    elif rng.random() < 0.3:
        tip = [(x - 0.5, y, 2.0), (x + 0.5, y, 2.0), (x, y, 2.85)]
        stage.shapes.polygon(tip, (186, 36, 40), depth)
        inner = [(x - 0.3, y, 2.1), (x + 0.3, y, 2.1), (x, y, 2.62)]
        stage.shapes.polygon(inner, (240, 240, 240), depth)
    else:
        stage.shapes.blob((x, y, 2.4), 0.38, (186, 36, 40), depth)
        stage.shapes.blob((x, y, 2.4), 0.27, rng.choice(((240, 240, 240), (38, 82, 160))), depth)


def _diamond(stage: Stage, at: tuple[float, float, float], colour: Colour, depth: float) -> None:
    x, y, z = at
    tips = [(x, y, z - 0.48), (x + 0.48, y, z), (x, y, z + 0.48), (x - 0.48, y, z)]
    stage.shapes.polygon(tips, colour, depth)


def _octagon(stage: Stage, at: tuple[float, float, float], depth: float) -> None:
    x, y, z = at
    corners = ((0.16, 0.38), (0.38, 0.16), (0.38, -0.16), (0.16, -0.38))
    ring = [*corners, *((-a, -b) for a, b in corners)]
    stage.shapes.polygon([(x + a, y, z + b) for a, b in ring], (176, 32, 38), depth)


def _panel(
    stage: Stage, at: tuple[float, float, float], size: tuple[float, float], colour: Colour, depth: float
) -> None:
    (x, y, z), (wide, high) = at, size
    half = wide / 2
    face = [(x - half, y, z), (x + half, y, z), (x + half, y, z + high), (x - half, y, z + high)]
    stage.shapes.polygon(face, colour, depth)


def _street_boxes(stage: Stage, side: int, rng: Random) -> None:
    """Post boxes, telephone boxes and bus stops; hydrants and letter boxes on posts."""
    x, y = side * (stage.road_m / 2 + 0.7), rng.uniform(5, 24) * rng.choice((-1, 1))
    if rng.random() > 0.55 or not stage.view.sees(x, y, 3):
        return
    depth = stage.view.distance(x, y)
    if stage.place.american:
        _american_box(stage, (x, y), depth, rng)
        return
    red: Colour = (44, 104, 66) if stage.place.irish else (172, 24, 32)
    kind = rng.randrange(3)
    if kind == 0:
        stage.shapes.line((x, y, 0.0), (x, y, 1.5), red, depth, 0.5)
        stage.shapes.blob((x, y, 1.5), 0.28, red, depth)
        stage.shapes.line((x, y, 0.0), (x, y, 0.25), (28, 28, 30), depth, 0.52)
    elif kind == 1:
        stage.shapes.line((x, y, 0.0), (x, y, 2.4), red, depth, 0.95)
        stage.shapes.line((x, y, 0.5), (x, y, 2.05), (104, 116, 120), depth, 0.6)
    else:
        stage.shapes.line((x, y, 0.0), (x, y, 2.7), _METAL, depth, 0.1)
        _panel(stage, (x, y, 2.2), (0.5, 0.6), (206, 40, 44), depth)


def _american_box(stage: Stage, at: tuple[float, float], depth: float, rng: Random) -> None:
    x, y = at
    if rng.random() < 0.5:
        stage.shapes.line((x, y, 0.0), (x, y, 0.75), (196, 52, 44), depth, 0.26)
        stage.shapes.line((x - 0.25, y, 0.5), (x + 0.25, y, 0.5), (196, 52, 44), depth, 0.18)
        return
    stage.shapes.line((x, y, 0.0), (x, y, 1.1), _WOOD, depth, 0.12)
    _panel(stage, (x, y, 1.1), (0.5, 0.3), rng.choice(((58, 60, 64), (222, 222, 220), (46, 72, 128))), depth)


def _signals(stage: Stage, rng: Random) -> None:
    """Traffic lights: hung over the road in America, on posts beside it elsewhere."""
    half, y = stage.road_m / 2 + 0.5, rng.uniform(16, 40) * rng.choice((-1, 1))
    depth = stage.view.distance(0, y)
    lit = rng.randrange(3)
    if stage.place.american:
        stage.shapes.line((half, y, 0.0), (half, y, 6.2), _METAL, depth, 0.2)
        stage.shapes.line((half, y, 6.0), (-half * 0.4, y, 6.2), _METAL, depth, 0.14)
        for x in (half * 0.45, -half * 0.3):
            _head(stage, (x, y, 5.2), (206, 160, 44), depth, lit)
        return
    for side in (-1, 1):
        stage.shapes.line((side * half, y, 0.0), (side * half, y, 3.2), (70, 72, 74), depth, 0.12)
        _head(stage, (side * half, y, 2.3), (30, 30, 32), depth, lit)


def _head(stage: Stage, at: tuple[float, float, float], case: Colour, depth: float, lit: int) -> None:
    x, y, z = at
    _panel(stage, (x, y, z), (0.36, 1.0), case, depth)
    colours = ((216, 40, 36), (228, 160, 40), (60, 190, 110))
    for lamp, colour in enumerate(colours):
        shown = colour if lamp == lit else (52, 50, 48)
        stage.shapes.blob((x, y, z + 0.82 - 0.32 * lamp), 0.12, shown, depth)
