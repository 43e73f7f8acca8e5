"""Park and drive cars, on the country's side.

In: a stage. Out: shapes on the stage.
"""

from dataclasses import dataclass
from random import Random

from geolocate.emulator.shapes import Colour, blend, shade
from geolocate.emulator.stage import Stage

_PAINTS: tuple[Colour, ...] = (
    (196, 198, 200), (60, 62, 66), (34, 34, 38), (224, 224, 224), (120, 124, 130), (52, 74, 116), (136, 40, 40),
)  # fmt: skip
_GLASS: Colour = (54, 60, 66)


@dataclass(frozen=True, slots=True)
class _Body:
    """A kind of car: half its width and length, height, where the cabin begins and ends along it, and its waist."""

    half_m: float
    reach_m: float
    high_m: float
    cabin: tuple[float, float]
    waist: float


_HATCHBACK = _Body(0.86, 2.0, 1.48, (0.22, 0.93), 0.6)
_SALOON = _Body(0.9, 2.35, 1.45, (0.27, 0.8), 0.62)
_VAN = _Body(0.98, 2.6, 2.15, (0.12, 0.34), 0.62)
_SUV = _Body(0.98, 2.45, 1.85, (0.2, 0.95), 0.6)
_PICKUP = _Body(1.02, 2.85, 1.9, (0.28, 0.6), 0.6)
_BRITISH, _AMERICAN = (_HATCHBACK, _HATCHBACK, _SALOON, _SUV, _VAN), (_SALOON, _SUV, _SUV, _PICKUP, _PICKUP)


def park_cars(stage: Stage) -> None:
    """Park and drive cars: more of them where it is built-up."""
    rng = stage.rng(5)
    left = -1 if stage.place.drives_left else 1
    for index in range(1 + int(8 * stage.place.built * rng.random())):
        own = stage.rng(6, index)
        parked = own.random() < 0.75 and stage.place.built > 0.2
        side = own.choice((-1, 1))
        x = side * (stage.road_m / 2 - 1.0 if parked else stage.road_m / 4)
        y = own.uniform(6.5, 70) * own.choice((-1, 1))
        # Those on the camera's own side are seen from behind when ahead of it.
        _car(stage, x, y, own, tail=(side == left) == (y > 0))


def _car(stage: Stage, x: float, y: float, rng: Random, *, tail: bool) -> None:
    if not stage.view.sees(x, y, 4):
        return
    body = rng.choice(_AMERICAN if stage.place.american else _BRITISH)
    paint = shade(rng.choice(_PAINTS), rng.uniform(0.9, 1.1))
    depth = stage.view.distance(x, y) - 2
    wide, y0, y1 = body.half_m, y - body.reach_m, y + body.reach_m
    shadow = [(x - wide, y0, 0.02), (x - wide, y1, 0.02), (x + wide, y1, 0.02), (x + wide, y0, 0.02)]
    stage.shapes.polygon(shadow, (48, 48, 50), depth + 0.4)
    flank = x - wide if x > stage.view.x else x + wide
    # The nose points with the traffic: away from the camera when its tail is seen.
    nose = y1 if tail == (y > 0) else y0
    _flank(stage, body, (flank, nose, y0 + y1 - nose), paint, depth)
    end = y0 if y > 0 else y1
    waist = body.high_m * body.waist
    _box(stage, (x - wide, x + wide), (end, end), (0.25, waist), paint, depth)
    if body is not _PICKUP or not tail:
        back = end if body is not _SALOON else end + (0.5 if y > 0 else -0.5)
        narrow = wide * 0.86
        _box(stage, (x - narrow, x + narrow), (back, back), (waist, body.high_m), shade(paint, 0.95), depth + 0.05)
        glass = _GLASS if body is not _VAN or not tail else shade(paint, 0.9)
        _box(
            stage, (x - narrow * 0.9, x + narrow * 0.9), (back, back), (waist + 0.03, body.high_m - 0.12), glass, depth
        )
    lights = (170, 30, 30) if tail else (236, 236, 226)
    for lamp in (-0.76, 0.76):
        _box(stage, (x + (lamp - 0.15) * wide, x + (lamp + 0.15) * wide), (end, end), (0.62, 0.84), lights, depth)
    _plate(stage, x, end, depth, tail=tail)


def _flank(stage: Stage, body: _Body, at: tuple[float, float, float], paint: Colour, depth: float) -> None:
    """The side towards the camera; ``at`` is where it stands, its nose and its tail."""
    x, nose, tail = at
    bright = stage.light.on_wall(stage.place.road_bearing - 90 * (1 if x < 0 else -1))
    side, waist = shade(paint, bright), body.high_m * body.waist
    _box(stage, (x, x), (nose, tail), (0.25, waist), side, depth + 0.2)
    front, back = (nose + (tail - nose) * share for share in body.cabin)
    slant = (tail - nose) * 0.07
    cabin = [(x, front, waist), (x, front + slant, body.high_m), (x, back - slant / 2, body.high_m), (x, back, waist)]
    stage.shapes.polygon(cabin, side, depth + 0.19)
    pane = [(x, front + slant * 0.5, waist + 0.04), (x, front + slant * 1.3, body.high_m - 0.12),
            (x, back - slant, body.high_m - 0.12), (x, back - slant * 0.6, waist + 0.04)]  # fmt: skip
    stage.shapes.polygon(pane, _GLASS, depth + 0.18)
    if body is _VAN:
        _box(stage, (x, x), (back, tail), (waist, body.high_m), side, depth + 0.2)
    for share in (0.2, 0.8):
        stage.shapes.blob((x, nose + (tail - nose) * share, 0.33), 0.34, (30, 30, 32), depth + 0.1)


def _plate(stage: Stage, x: float, y: float, depth: float, *, tail: bool) -> None:
    """A number plate: long in Britain, yellow behind; white in Ireland; short and of any state's colour in America."""
    place = stage.place
    half = 0.16 if place.american else 0.27
    colour: Colour = (232, 232, 230)
    if place.american:
        colour = blend(colour, (120, 150, 200), min(0.6, max(0.0, 0.25 * place.look[1])))
    elif tail and not place.irish:
        colour = (224, 188, 54)
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
