"""Grow trees, hedges and fields, and raise hills and the sea behind them.

In: a stage. Out: shapes on the stage.
"""

import math
from itertools import pairwise
from random import Random

from geolocate.emulator.shapes import Colour, Shapes, blend, shade
from geolocate.emulator.stage import Stage

#: Depths beyond haze: hills before the sea before the sky.
_HILLS, _SEA = 2e5, 3e5
_FAR_M = 4000.0


def grow_tree(stage: Stage, x: float, y: float, rng: Random) -> None:
    """Grow one tree of the place's kind."""
    height = rng.uniform(4.5, 9.5) * (0.8 + 0.5 * stage.place.forest)
    if not stage.view.sees(x, y, height):
        return
    depth = stage.view.distance(x, y)
    shape = stage.palette.tree_shape
    trunk_top = height * {"palm": 0.95, "conifer": 0.2, "cactus": 0.0, "tall": 0.3}.get(shape, 0.38)
    bark = shade((96, 80, 66), rng.uniform(0.8, 1.2))
    stage.shapes.line((x, y, 0.0), (x, y, trunk_top), bark, depth, 0.3)
    _CROWNS[shape](stage, (x, y, trunk_top, height), rng)


def _blobs(depth: float) -> int:
    return 26 if depth < 30 else 14 if depth < 70 else 6


def _round_crown(stage: Stage, tree: tuple[float, float, float, float], rng: Random) -> None:
    x, y, low, high = tree
    slim = 0.6 if stage.palette.tree_shape == "tall" else 1.0
    middle, half = (low + high) / 2, (high - low) / 2
    depth = stage.view.distance(x, y)
    sparse = 0.45 + 0.55 * max(stage.light.leaf, 0.0)
    count = _blobs(depth)
    for index in range(count):
        turn, out, lift = rng.uniform(0, 6.3), rng.random() ** 0.5 * half * slim, rng.uniform(-0.8, 0.9)
        bulge = math.sqrt(max(0.05, 1 - lift * lift))
        colour = shade(stage.foliage(rng), 0.8 + 0.16 * lift + 0.12 * index / count)
        centre = (x + out * bulge * math.cos(turn), y + out * bulge * math.sin(turn), middle + lift * half * 0.85)
        stage.shapes.blob(centre, half * rng.uniform(0.22, 0.4) * sparse, colour, depth)


def _conifer_crown(stage: Stage, tree: tuple[float, float, float, float], rng: Random) -> None:
    x, y, low, high = tree
    depth = stage.view.distance(x, y)
    tiers = 6 if depth < 60 else 3
    across, along = math.cos(stage.view.yaw), -math.sin(stage.view.yaw)
    for tier in range(tiers):
        base = low + (high - low) * tier / tiers * 0.9
        wide = (high - low) * 0.26 * (1 - tier / tiers) * rng.uniform(0.85, 1.15)
        colour = shade(blend(stage.foliage(rng), (44, 66, 50), 0.55), 0.85 + 0.05 * tier)
        left, right = (x - across * wide, y - along * wide, base), (x + across * wide, y + along * wide, base)
        stage.shapes.polygon([left, right, (x, y, base + (high - low) * 0.36)], colour, depth)


def _palm_crown(stage: Stage, tree: tuple[float, float, float, float], rng: Random) -> None:
    x, y, low, _ = tree
    depth = stage.view.distance(x, y)
    across, along = math.cos(stage.view.yaw), -math.sin(stage.view.yaw)
    for _ in range(11 if depth < 60 else 6):
        turn, length = rng.uniform(-0.9, 4.0), rng.uniform(1.3, 2.3)
        side, lift = math.cos(turn) * length, math.sin(turn) * length * 0.7
        tip = (x + across * side, y + along * side, low + lift - 0.25)
        middle = (x + across * side * 0.5, y + along * side * 0.5, low + lift * 0.75 + 0.35)
        stage.shapes.polygon([(x, y, low - 0.1), middle, tip, (x, y, low + 0.15)], stage.foliage(rng), depth)


def _cactus(stage: Stage, tree: tuple[float, float, float, float], rng: Random) -> None:
    x, y, _, high = tree
    depth = stage.view.distance(x, y)
    if rng.random() < 0.4:
        colour = shade((104, 122, 84), rng.uniform(0.85, 1.1))
        stage.shapes.line((x, y, 0.0), (x, y, high * 0.55), colour, depth, 0.45)
        arm = x + rng.choice((-0.8, 0.8))
        stage.shapes.line((x, y, high * 0.25), (arm, y, high * 0.28), colour, depth, 0.3)
        stage.shapes.line((arm, y, high * 0.28), (arm, y, high * 0.45), colour, depth, 0.3)
        return
    for _ in range(_blobs(depth) // 2):
        spot = (x + rng.gauss(0, 0.6), y + rng.gauss(0, 0.6), rng.uniform(0.1, 0.9))
        stage.shapes.blob(spot, rng.uniform(0.2, 0.45), stage.foliage(rng), depth)


_CROWNS = {
    "round": _round_crown,
    "tall": _round_crown,
    "conifer": _conifer_crown,
    "palm": _palm_crown,
    "cactus": _cactus,
}


def lay_fields(stage: Stage, ground: Shapes) -> None:
    """Lay strips of crops, pasture and moor beside a country road."""
    if stage.place.built > 0.3:
        return
    rng = stage.rng(40)
    wheat, earth, green = (186, 166, 104), (126, 100, 76), shade(stage.palette.leaves, 1.1)
    for side in (-1, 1):
        x = stage.edge_m + 3
        while x < 160:
            wide = rng.uniform(12, 50) * (2.2 if stage.place.american else 1.0)
            crop = rng.choice((wheat, wheat, green, earth)) if rng.random() < stage.place.crops else stage.palette.soil
            far = side * x, side * (x + wide)
            strip = [(far[0], -400.0, 0.0), (far[0], 400.0, 0.0), (far[1], 400.0, 0.0), (far[1], -400.0, 0.0)]
            ground.polygon(strip, shade(crop, rng.uniform(0.88, 1.1)), 5000 + x)
            x += wide


def raise_hills(stage: Stage) -> None:
    """Raise a skyline all round: neighbouring panoramas see nearly the same one."""
    place, shapes = stage.place, stage.shapes
    look = place.look
    relief = max(0.0, place.rough - 0.2) * 1.2 + 0.15 * place.height
    for layer, (share, size) in enumerate(((0.75, 1.0), (0.4, 0.55))):
        colour = blend(_far_colour(stage), shapes.haze, share)
        crest = []
        for degree in range(0, 361, 6):
            turn = math.radians(degree)
            wave = sum(
                look[(k + 3 * layer) % 24] / k * math.sin(k * turn + look[(k + 7) % 24] * 3) for k in (2, 3, 5, 7, 11)
            )
            height = max(0.004, 0.016 + relief * size * (0.05 + 0.028 * wave)) * _FAR_M * (1.25 - 0.5 * layer)
            crest.append((turn, height))
        _skyline(stage, crest, colour, _HILLS - layer)


def _far_colour(stage: Stage) -> Colour:
    """What covers the hills."""
    place = stage.place
    wooded = blend(stage.palette.soil, stage.palette.leaves, min(1.0, 0.3 + place.forest))
    return blend(shade(wooded, 0.8), (150, 146, 142), 0.5 * place.built)


def _skyline(stage: Stage, crest: list[tuple[float, float]], colour: Colour, depth: float) -> None:
    road = math.radians(stage.place.road_bearing)
    for (turn, height), (turn_on, height_on) in pairwise(crest):
        left, right = (_around(turn - road), _around(turn_on - road))
        face = [(*left, 0.0), (*right, 0.0), (*right, height_on), (*left, height)]
        stage.shapes.polygon(face, colour, depth)


def _around(turn: float) -> tuple[float, float]:
    return _FAR_M * math.sin(turn), _FAR_M * math.cos(turn)


def fill_sea(stage: Stage) -> None:
    """Show the sea where the coast is near, in its direction."""
    place = stage.place
    if place.coast_km > 1.6:
        return
    half = 62 - 22 * max(0.0, place.coast_km)
    start = math.radians(place.sea_bearing - half - place.road_bearing)
    grey = blend((88, 124, 148), stage.light.sky_low, 0.35 + 0.35 * stage.light.overcast)
    water = blend(grey, (90, 160, 170), 0.5 * max(place.tropical, 0.3 * place.arid))
    steps = 10
    near_m = 60 + 500 * max(0.0, place.coast_km)
    for step in range(steps):
        turns = (start + math.radians(2 * half * k / steps) for k in (step, step + 1))
        (x0, y0), (x1, y1) = ((math.sin(t), math.cos(t)) for t in turns)
        far, near = 9000.0, near_m
        band = [
            (x0 * near, y0 * near, 0.0),
            (x0 * far, y0 * far, 0.0),
            (x1 * far, y1 * far, 0.0),
            (x1 * near, y1 * near, 0.0),
        ]
        stage.shapes.polygon(band, water, _HILLS - 10)
        beach = [
            (x0 * near * 0.7, y0 * near * 0.7, 0.0),
            (x0 * near, y0 * near, 0.0),
            (x1 * near, y1 * near, 0.0),
            (x1 * near * 0.7, y1 * near * 0.7, 0.0),
        ]
        stage.shapes.polygon(beach, _beach(stage), _HILLS - 11)


def _beach(stage: Stage) -> Colour:
    """Sand or shingle, as the region has it."""
    return blend((204, 184, 146), (150, 144, 136), min(1.0, max(0.0, 0.4 + 0.4 * stage.place.look[3])))
