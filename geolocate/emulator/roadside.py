"""Lay the road and fill the plots beside it: houses, gardens, hedges and walls.

In: a stage. Out: shapes on the stage.
"""

from random import Random

from geolocate.emulator.buildings import build_house
from geolocate.emulator.nature import grow_tree
from geolocate.emulator.shapes import Colour, Shapes, blend, shade
from geolocate.emulator.stage import Stage

_YELLOW: Colour = (212, 172, 62)


def lay_road(stage: Stage, ground: Shapes) -> None:
    """Lay carriageway, pavements and markings."""
    half, edge = stage.road_m / 2, stage.edge_m
    rng = stage.rng(1)
    if stage.commercial:
        forecourt = edge + (18 if stage.strip_mall else 10)
        colour = stage.palette.asphalt if stage.strip_mall else shade(stage.palette.pavement, 0.94)
        _strip(ground, -forecourt, forecourt, colour, 901)
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


def _dashes(ground: Shapes, x: float, every: int, long: float, colour: Colour) -> None:
    for start in range(-60, 90, every):
        left, right, end = x - 0.06, x + 0.06, start + long
        dash = [(left, float(start), 0.0), (left, end, 0.0), (right, end, 0.0), (right, float(start), 0.0)]
        ground.polygon(dash, colour, 890)


def _mark(stage: Stage, ground: Shapes, half: float) -> None:
    """Paint the middle and the edges as the country does."""
    place, white = stage.place, stage.palette.line
    if place.american:
        _mark_american(stage, ground, half)
    elif place.road_rank < 2 or (place.road_rank == 2 and place.built > 0.5):
        _dashes(ground, 0.0, 6, 3.0 if place.road_rank < 2 else 2.0, white)
    if place.irish and place.built < 0.5:
        for side in (-1, 1):
            _dashes(ground, side * (half - 0.3), 4, 2.0, _YELLOW)
    elif not place.american and place.built < 0.3 and place.road_rank == 0:
        for side in (-1, 1):
            _strip(ground, side * (half - 0.3), side * (half - 0.2), white, 890)
    if stage.palette.kerb_line is not None and (place.road_rank < 2 or stage.commercial):
        for side in (-1, 1):
            for x in (0.25, 0.5):
                _strip(ground, side * (half - x), side * (half - x + 0.1), stage.palette.kerb_line, 889)


def _mark_american(stage: Stage, ground: Shapes, half: float) -> None:
    place, white = stage.place, stage.palette.line
    if place.road_rank < 3:
        for x in (-0.16, 0.16):
            _strip(ground, x - 0.06, x + 0.06, _YELLOW, 890)
    if place.built < 0.4:
        for side in (-1, 1):
            _strip(ground, side * (half - 0.45), side * (half - 0.33), white, 890)
    elif place.road_rank == 0:
        for side in (-1, 1):
            _dashes(ground, side * half / 2, 12, 3.0, white)


def fill_plots(stage: Stage) -> None:
    """Fill both sides: houses where it is built-up, trees and hedges where it is not, nothing before the sea."""
    for side in (-1, 1):
        if stage.faces_sea(side):
            _promenade(stage, side)
            continue
        rng = stage.rng(2, side + 1)
        y = stage.behind_m + rng.uniform(0, 10)
        index = 0
        while y < stage.ahead_m:
            index += 1
            y += _fill_plot(stage, side, y, stage.rng(3, side + 1, index))


def _promenade(stage: Stage, side: int) -> None:
    """Railings along the shore of a town; a bare verge in the country."""
    if stage.place.built > 0.25:
        x = side * (stage.edge_m + 1.5)
        colour = blend(stage.palette.pole, (226, 230, 232), 0.5)
        for y in range(-60, 90, 12):
            _rails(stage, (x, float(y), float(y) + 12.0, 1.1), stage.view.distance(x, y + 6.0), (colour, 1.5))


def _fill_plot(stage: Stage, side: int, y: float, rng: Random) -> float:
    """Fill one plot that begins at ``y``; return its length along the road."""
    palette, place = stage.palette, stage.place
    house_m = max(4.0, palette.frontage_m * rng.uniform(0.85, 1.2))
    shut = palette.terraced + (0.5 if stage.commercial else 0.0)
    gap_m = 0.0 if rng.random() < shut else rng.uniform(1.5, 5) * (1.8 if place.american else 1.0)
    if stage.commercial and place.downtown > 0.3:
        house_m *= 1.5
    if rng.random() < min(0.97, 1.55 * place.built + 0.02):
        build_house(stage, side, y, y + house_m, rng)
        if palette.setback_m > 3 and not stage.commercial and rng.random() < palette.trees * 0.8:
            grow_tree(stage, side * (stage.edge_m + rng.uniform(1, palette.setback_m)), y + house_m * rng.random(), rng)
    else:
        for _ in range(1 + int(4 * rng.random() * (palette.trees + place.forest))):
            if rng.random() < palette.trees * (1 - 0.6 * place.crops) + 0.3 * place.forest:
                away = stage.edge_m + 2 + rng.expovariate(1 / 9)
                grow_tree(stage, side * away, y + house_m * rng.random(), rng)
    if not stage.commercial and palette.setback_m > 2:
        _bound(stage, side, (y, y + house_m + gap_m), rng)
    return house_m + gap_m


def _bound(stage: Stage, side: int, reach: tuple[float, float], rng: Random) -> None:
    """Close a plot towards the road as the place does."""
    palette = stage.palette
    kind = palette.boundary if rng.random() < 0.8 else "open"
    if kind == "wall" and stage.place.built < 0.25:
        # Garden walls are for gardens; in the country they are of field stone.
        kind = "stone"
    if kind == "hedge" and stage.place.american and stage.place.built < 0.25:
        kind = "fence"
    near, far = reach
    x, high = side * (stage.edge_m + 0.15), palette.boundary_m * rng.uniform(0.85, 1.15)
    if kind == "open" or not stage.view.sees(x, (near + far) / 2, (far - near) / 2 + 1):
        return
    depth = stage.view.distance(x, min(max(0.0, near), far))
    if kind in ("fence", "metal"):
        metal = kind == "metal"
        every = 0.35 if metal and depth < 15 else 1.6
        _rails(stage, (x, near, far, high), depth, (palette.pole if metal else palette.boundary_colour, every))
    elif kind == "hedge":
        _hedge(stage, (x, near, far, high * 1.2), depth, rng)
    else:
        colour = shade(palette.walls[0][0] if kind == "wall" else palette.boundary_colour, rng.uniform(0.92, 1.05))
        _wall(stage, (x, near, far, high), depth, colour, rough=kind == "stone")


def _wall(stage: Stage, run: tuple[float, float, float, float], depth: float, colour: Colour, *, rough: bool) -> None:
    """A garden wall with its coping, or a dry-stone wall with its stones."""
    x, near, far, high = run
    lit = shade(colour, stage.light.on_wall(stage.place.road_bearing - 90 * (1 if x > 0 else -1)))
    face = [(x, near, 0.0), (x, far, 0.0), (x, far, high), (x, near, high)]
    stage.shapes.polygon(face, lit, depth)
    stage.shapes.line((x, near, high), (x, far, high), shade(lit, 0.7), depth, 0.08)
    if rough and depth < 22:
        rng = stage.rng(9, round(near * 4))
        for _ in range(int(min(far - near, 14) * 5)):
            y, z, tone = rng.uniform(near, far), rng.uniform(0.05, 0.92) * high, rng.choice((0.72, 0.84, 1.12))
            stage.shapes.line((x, y, z), (x, y + rng.uniform(0.15, 0.4), z), shade(lit, tone), depth, 0.1)


def _rails(stage: Stage, run: tuple[float, float, float, float], depth: float, style: tuple[Colour, float]) -> None:
    """Rails on posts; ``style`` is their colour and how far the posts stand apart, in metres."""
    (x, near, far, high), (colour, every) = run, style
    thick = 0.05 if every < 1.55 else 0.13
    for height in (high, high * 0.45):
        stage.shapes.line((x, near, height), (x, far, height), colour, depth, thick)
    if depth < 45:
        for index in range(int((far - near) / every)):
            y = near + index * every
            stage.shapes.line((x, y, 0.0), (x, y, high * 1.05), colour, depth, thick * 0.8)


def _hedge(stage: Stage, run: tuple[float, float, float, float], depth: float, rng: Random) -> None:
    x, near, far, high = run
    base = shade(stage.foliage(rng), 0.75)
    stage.shapes.polygon([(x, near, 0.0), (x, far, 0.0), (x, far, high), (x, near, high)], base, depth)
    for _ in range(int((far - near) * (4 if depth < 14 else 1.5 if depth < 35 else 0.4))):
        spot = (x, rng.uniform(near, far), high * rng.uniform(0.1, 1.0))
        stage.shapes.blob(spot, rng.uniform(0.1, 0.24), shade(base, rng.uniform(0.85, 1.45)), depth)
