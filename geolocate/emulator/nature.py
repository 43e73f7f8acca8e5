"""Grow trees, hedges and fields, and what lies on open ground.

In: a stage. Out: shapes on the stage.
"""

import math
from random import Random

from geolocate.emulator.shapes import Colour, Shapes, blend, shade
from geolocate.emulator.stage import Stage

Tree = tuple[float, float, float, float]


def grow_tree(stage: Stage, x: float, y: float, rng: Random) -> None:
    """Grow one tree of the place's kind."""
    height = rng.uniform(4.5, 9.5) * (0.8 + 0.5 * stage.place.forest)
    if not stage.view.sees(x, y, height):
        return
    depth = stage.view.distance(x, y)
    shape = stage.palette.tree_shape
    if shape == "palm":
        height *= 1.25
    trunk_top = height * {"palm": 0.95, "conifer": 0.15, "cactus": 0.0, "tall": 0.3}.get(shape, 0.38)
    bark = shade((96, 80, 66), rng.uniform(0.8, 1.2))
    stage.shapes.line((x, y, 0.0), (x, y, trunk_top), bark, depth, 0.3)
    _CROWNS[shape](stage, (x, y, trunk_top, height), rng)


def _blobs(depth: float) -> int:
    return 34 if depth < 25 else 18 if depth < 60 else 8


def _round_crown(stage: Stage, tree: Tree, rng: Random) -> None:
    x, y, low, high = tree
    if stage.light.leaf < 0.25:
        _bare_crown(stage, tree, rng)
        return
    slim = 0.6 if stage.palette.tree_shape == "tall" else 1.0
    middle, half = (low + high) / 2, (high - low) / 2
    depth = stage.view.distance(x, y)
    count = _blobs(depth)
    base = stage.foliage(rng)
    # Clumps from the shaded underside up to the lit top.
    for index in range(count):
        lift = -0.8 + 1.7 * index / count
        turn, out = rng.uniform(0, 6.3), rng.random() ** 0.5 * half * slim
        bulge = math.sqrt(max(0.05, 1 - lift * lift))
        colour = shade(base, 0.84 + 0.22 * lift + rng.uniform(-0.09, 0.09))
        centre = (x + out * bulge * math.cos(turn), y + out * bulge * math.sin(turn), middle + lift * half * 0.85)
        stage.shapes.blob(centre, half * rng.uniform(0.2, 0.36) * (0.7 + 0.3 * stage.light.leaf), colour, depth)


def _bare_crown(stage: Stage, tree: Tree, rng: Random) -> None:
    """A leafless tree: limbs that fork once."""
    x, y, low, high = tree
    depth = stage.view.distance(x, y)
    bark = shade((104, 92, 80), rng.uniform(0.85, 1.1))
    across, along = stage.across
    for _ in range(9 if depth < 60 else 5):
        lean, start = rng.uniform(-0.8, 0.8), low * rng.uniform(0.75, 1.1)
        top = start + (high - start) * rng.uniform(0.55, 0.85)
        fork = (x + across * lean * (top - start), y + along * lean * (top - start), top)
        stage.shapes.line((x, y, start), fork, bark, depth, 0.12)
        for _ in range(3):
            reach, rise = rng.uniform(-1.1, 1.1) + lean * 0.8, rng.uniform(0.4, 1.5)
            stage.shapes.line(fork, (fork[0] + across * reach, fork[1] + along * reach, top + rise), bark, depth, 0.05)


def _conifer_crown(stage: Stage, tree: Tree, rng: Random) -> None:
    x, y, low, high = tree
    depth = stage.view.distance(x, y)
    tiers = 7 if depth < 60 else 4
    across, along = stage.across
    base_colour = blend(stage.foliage(rng), (44, 66, 50), 0.55)
    for tier in range(tiers):
        base = low + (high - low) * tier / tiers * 0.9
        wide = (high - low) * 0.24 * (1 - tier / tiers) * rng.uniform(0.8, 1.15)
        left, right = (x - across * wide, y - along * wide, base), (x + across * wide, y + along * wide, base)
        tip = (x, y, base + (high - low) * 0.34)
        stage.shapes.polygon([left, right, tip], shade(base_colour, 0.85 + 0.05 * tier), depth)


def _palm_crown(stage: Stage, tree: Tree, rng: Random) -> None:
    x, y, low, _ = tree
    depth = stage.view.distance(x, y)
    across, along = stage.across
    for _ in range(11 if depth < 60 else 6):
        turn, length = rng.uniform(-0.9, 4.0), rng.uniform(1.3, 2.3)
        side, lift = math.cos(turn) * length, math.sin(turn) * length * 0.7
        tip = (x + across * side, y + along * side, low + lift - 0.25)
        middle = (x + across * side * 0.5, y + along * side * 0.5, low + lift * 0.75 + 0.35)
        stage.shapes.polygon([(x, y, low - 0.1), middle, tip, (x, y, low + 0.15)], stage.foliage(rng), depth)


def _cactus(stage: Stage, tree: Tree, rng: Random) -> None:
    x, y, _, high = tree
    depth = stage.view.distance(x, y)
    if rng.random() < 0.5:
        colour = shade((98, 120, 78), rng.uniform(0.85, 1.1))
        stage.shapes.line((x, y, 0.0), (x, y, high * 0.6), colour, depth, 0.5)
        across, along = stage.across
        for out in rng.choice(((-0.9,), (0.9,), (-0.9, 0.8), (-0.8, 0.9))):
            low = high * rng.uniform(0.2, 0.32)
            arm = x + across * out, y + along * out
            stage.shapes.line((x, y, low), (*arm, low + 0.15), colour, depth, 0.34)
            stage.shapes.line((*arm, low), (*arm, low + high * rng.uniform(0.14, 0.26)), colour, depth, 0.36)
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
    """Lay strips of crops, pasture and moor beside a country road, furrowed where they are ploughed."""
    if stage.place.built > 0.3:
        return
    rng = stage.rng(40)
    wheat, earth, green = (190, 168, 104), (126, 100, 76), shade(stage.palette.leaves, 1.1)
    for side in (-1, 1):
        x = stage.edge_m + 3
        while x < 160:
            wide = rng.uniform(12, 50) * (2.2 if stage.place.american else 1.0)
            sown = rng.random() < stage.place.crops
            crop = rng.choice((wheat, wheat, green, earth)) if sown else stage.palette.soil
            crop = shade(crop, rng.uniform(0.88, 1.1))
            _strip(ground, side * x, side * (x + wide), crop, 5000 + x)
            if sown and x < 45:
                for furrow in range(int(min(wide, 24) / 2)):
                    at = side * (x + 2 * furrow)
                    _strip(ground, at, at + side * 0.7, shade(crop, 0.82), 4000 + x)
            x += wide


def _strip(ground: Shapes, near: float, far: float, colour: Colour, depth: float) -> None:
    ground.polygon([(near, -400.0, 0.0), (near, 400.0, 0.0), (far, 400.0, 0.0), (far, -400.0, 0.0)], colour, depth)


def dress_country(stage: Stage) -> None:
    """Put on open ground what grows, grazes and stands there: field hedges, heather, boulders, sheep, barns."""
    place = stage.place
    if place.built > 0.3:
        return
    for side in (-1, 1):
        if stage.faces_sea(side):
            continue
        rng = stage.rng(41, side + 1)
        _scatter(stage, side, rng)
        if place.crops + place.grass > 0.3 and not place.american:
            _field_edges(stage, side, rng)
        if place.american and place.crops + 0.5 * place.grass > 0.4 and rng.random() < 0.45:
            _farmstead(stage, side, rng)


def _scatter(stage: Stage, side: int, rng: Random) -> None:
    """Tufts and shrubs; boulders where it is rough; sheep where Britain and Ireland graze."""
    place = stage.place
    tuft = blend(shade(stage.palette.soil, 0.8), (112, 76, 92), 0.55 * place.rough * place.shrub * (not place.american))
    tuft = blend(tuft, (120, 122, 88), place.arid)
    count = int(10 + 45 * max(place.shrub, place.arid, 0.6 * place.rough) * (1 - place.crops))
    for _ in range(count):
        x, y = side * (stage.edge_m + 2.5 + rng.expovariate(1 / 16)), rng.uniform(-70, 90)
        size = rng.uniform(0.12, 0.42) * (1 + 0.8 * place.arid)
        if stage.view.sees(x, y, 1):
            colour = shade(tuft, rng.uniform(0.8, 1.2))
            rock = rng.random() < 0.25 * max(0.0, place.rough - 0.3)
            _clump(stage, (x, y, size), (138, 134, 128) if rock else colour, rng)
    if not place.american and place.grass + place.shrub > 0.5 and rng.random() < 0.4:
        for _ in range(rng.randrange(4, 12)):
            _sheep(stage, side * (stage.edge_m + 8 + rng.uniform(0, 40)), rng.uniform(-50, 70))


def _clump(stage: Stage, at: tuple[float, float, float], colour: Colour, rng: Random) -> None:
    """A tuft, a shrub or a boulder, wider than it is high."""
    x, y, size = at
    depth = stage.view.distance(x, y)
    for offset in (-0.7, 0.0, 0.6):
        spot = (x + offset * size * rng.random(), y + offset * size, size * 0.35)
        stage.shapes.blob(spot, size * rng.uniform(0.5, 0.75), shade(colour, 1 + 0.1 * offset), depth)


def _sheep(stage: Stage, x: float, y: float) -> None:
    if not stage.view.sees(x, y, 1):
        return
    depth = stage.view.distance(x, y)
    for along, up, size, colour in ((0.0, 0.65, 0.42, (226, 222, 210)), (0.45, 0.8, 0.17, (60, 56, 54))):
        stage.shapes.blob((x, y + along, up), size, colour, depth)


def _field_edges(stage: Stage, side: int, rng: Random) -> None:
    """Hedges or dry-stone walls that part the fields behind the road."""
    stone = stage.palette.boundary == "stone" or stage.place.rough > 0.55
    for index, away in enumerate((34.0, 75.0)):
        x = side * (stage.edge_m + away * rng.uniform(0.8, 1.2))
        colour = shade(stage.palette.boundary_colour if stone else stage.foliage(rng), 0.8)
        high = (1.2 if stone else 2.0) * rng.uniform(0.85, 1.15)
        far = [(x, -300.0, 0.0), (x, 300.0, 0.0), (x, 300.0, high), (x, -300.0, high)]
        stage.shapes.polygon(far, colour, 300 + 40 * index)
        y, back = rng.uniform(15, 60) * rng.choice((-1, 1)), side * 160.0
        across = [
            (side * stage.edge_m + side * 2, y, 0.0),
            (back, y, 0.0),
            (back, y, high),
            (side * stage.edge_m + side * 2, y, high),
        ]
        stage.shapes.polygon(across, shade(colour, 0.92), stage.view.distance(side * 12, y))


def _farmstead(stage: Stage, side: int, rng: Random) -> None:
    """A red barn and silos, some way off."""
    x, y = side * rng.uniform(45, 90), rng.uniform(-60, 80)
    depth = stage.view.distance(x, y)
    if not stage.view.sees(x, y, 20):
        return
    red, wide, high = shade((150, 48, 40), rng.uniform(0.85, 1.1)), 7.0, 6.0
    face = [(x, y - wide, 0.0), (x, y + wide, 0.0), (x, y + wide, high), (x, y - wide, high)]
    stage.shapes.polygon(face, red, depth)
    roof = [
        (x, y - wide, high),
        (x, y + wide, high),
        (x + side * 5, y + wide, high + 4),
        (x + side * 5, y - wide, high + 4),
    ]
    stage.shapes.polygon(roof, (128, 128, 130), depth)
    stage.shapes.polygon(
        [(x, y - 1.5, 0.0), (x, y + 1.5, 0.0), (x, y + 1.5, 4.0), (x, y - 1.5, 4.0)], (226, 224, 218), depth
    )
    for silo in range(rng.randrange(1, 4)):
        at = y + wide + 4 + 5 * silo
        stage.shapes.line((x, at, 0.0), (x, at, 12.0), (192, 194, 196), depth, 3.6)
        stage.shapes.blob((x, at, 12.0), 1.8, (170, 174, 178), depth)
