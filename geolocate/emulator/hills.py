"""Raise what stands behind a street: the skyline of the relief, hillsides, the sea, roofs of the next street, woods.

In: a stage. Out: shapes on the stage.
"""

import math
from itertools import pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

from geolocate.emulator.shapes import Colour, blend, shade
from geolocate.emulator.stage import Stage

Floats = NDArray[np.float64]

#: Depths beyond haze: hillsides before hills before the sea before the sky.
_HILLS, _SEA = 2e5, 3e5
_FAR_M, _SIDE_M = 4000.0, 700.0
#: The tangent of what stands on any horizon: hedges, trees, distant roofs.
_LEAST = 0.008


def raise_hills(stage: Stage) -> None:
    """Raise the real relief's skyline all round, and before it the hillsides of rugged ground."""
    place, haze = stage.place, stage.shapes.haze
    cover = _far_colour(stage)
    rugged = min(1.1, max(0.0, place.rough - 0.28) * (1.4 + 2.8 * place.height))
    turns = np.radians(np.arange(0.0, 361.0, 6.0))
    compass = np.arange(len(place.skyline) + 1) * (2 * math.pi / len(place.skyline))
    rise = np.interp(turns, compass, (*place.skyline, place.skyline[0]))
    ripple = _ripple(place.look, turns)
    crags = 0.12 + 0.06 * ripple + 0.02 * np.sin(23 * turns + ripple)
    far = _LEAST + np.maximum(0, rise * (1 + 0.25 * ripple)) + rugged * crags
    peaks = blend(blend(cover, (140, 134, 130), min(1.0, 0.9 * place.height * (1 - place.forest))), haze, 0.6)
    _ring(stage, (turns, far), _FAR_M, peaks, _HILLS)
    if rugged > 0:
        near = _LEAST + rugged * np.maximum(0, 0.06 + 0.13 * _ripple(place.look[5:], turns))
        _ring(stage, (turns, near), _SIDE_M, blend(cover, haze, 0.22), _HILLS - 1)


def _ripple(look: tuple[float, ...], turns: Floats) -> Floats:
    """Ridges that neighbouring panoramas share, -2 to 2, in directions in radians."""
    waves = sum(look[k] / math.sqrt(k) * np.sin(k * turns + 3 * look[k + 6]) for k in (2, 3, 5, 7, 11))
    return np.clip(1.2 * np.asarray(waves), -2.0, 2.0)


def _far_colour(stage: Stage) -> Colour:
    """What covers the hills."""
    place = stage.place
    wooded = blend(stage.palette.soil, stage.palette.leaves, min(1.0, 0.2 + place.forest))
    return blend(shade(wooded, 0.86), (150, 146, 142), 0.4 * place.built)


def _ring(stage: Stage, crest: tuple[Floats, Floats], reach_m: float, colour: Colour, depth: float) -> None:
    """Stand a crest (directions in radians, tangents) around the camera; what faces the sun is brighter."""
    turns, tangents = crest
    road, light = math.radians(stage.place.road_bearing), stage.light
    xs, ys = (reach_m * np.sin(turns - road)).tolist(), (reach_m * np.cos(turns - road)).tolist()
    tops = (reach_m * np.round(tangents, 5)).tolist()
    slopes = np.tanh(6 * np.diff(tangents)) * np.sin(turns[:-1] - math.radians(light.sun_azimuth))
    for index, slope in enumerate(slopes.tolist()):
        left, right = (xs[index], ys[index]), (xs[index + 1], ys[index + 1])
        face = [(*left, 0.0), (*right, 0.0), (*right, tops[index + 1]), (*left, tops[index])]
        stage.shapes.polygon(face, shade(colour, 1 - 0.16 * slope * (1 - light.overcast)), depth)


def fill_sea(stage: Stage) -> None:
    """Show the sea where the coast is near, in its direction, with its beach and surf."""
    place = stage.place
    if place.coast_km > 1.6:
        return
    half = 82 - 28 * max(0.0, place.coast_km)
    start = math.radians(place.sea_bearing - half - place.road_bearing)
    near_m = stage.shore_m
    grey = blend((78, 116, 142), stage.light.sky_low, 0.2 + 0.35 * stage.light.overcast)
    water = blend(grey, (64, 158, 172), 0.6 * max(place.tropical, 0.3 * place.arid))
    bands = (
        (near_m, 9000.0, water, _SEA),
        (near_m * 1.6, near_m * 3.4, shade(water, 1.05), _SEA - 1),
        (near_m * 0.97, near_m * 1.1, blend(water, (238, 240, 240), 0.7), _SEA - 2),
        (near_m * 0.55, near_m * 0.98, _beach(stage), _SEA - 3),
    )
    steps = 8
    turns = [start + math.radians(2 * half * step / steps) for step in range(steps + 1)]
    for low, high, colour, depth in bands:
        for left, right in pairwise(turns):
            (x0, y0), (x1, y1) = (math.sin(left), math.cos(left)), (math.sin(right), math.cos(right))
            corners = ((x0 * low, y0 * low), (x0 * high, y0 * high), (x1 * high, y1 * high), (x1 * low, y1 * low))
            stage.shapes.polygon([(x, y, 0.0) for x, y in corners], colour, depth)


def _beach(stage: Stage) -> Colour:
    """Sand or shingle, as the region has it."""
    return blend((214, 194, 154), (150, 144, 136), min(1.0, max(0.0, 0.4 + 0.4 * stage.place.look[3])))


def stand_backdrop(stage: Stage) -> None:
    """Stand the next street's roofs, or the edge of a wood, behind both sides of the road."""
    for side in (-1, 1):
        if stage.faces_sea(side):
            continue
        rng = stage.rng(50, side + 1)
        if stage.place.built > 0.3:
            _next_street(stage, side, rng)
        elif stage.place.forest > 0.35:
            _wood(stage, side, rng)


def _next_street(stage: Stage, side: int, rng: Random) -> None:
    palette = stage.palette
    x = side * (stage.edge_m + palette.setback_m + 30)
    y = stage.behind_m
    while y < stage.ahead_m:
        long = palette.frontage_m * rng.uniform(0.9, 2.2)
        eaves = max(1.0, palette.storeys + rng.gauss(0, 0.4)) * 2.9 + 0.4
        wall = shade(rng.choices(palette.walls, palette.wall_shares)[0][0], rng.uniform(0.82, 0.95))
        depth = stage.view.distance(x, y + long / 2) + 12
        if rng.random() < 0.45 + 0.5 * stage.place.built and stage.view.sees(x, y + long / 2, long + eaves):
            face = [(x, y, 0.0), (x, y + long, 0.0), (x, y + long, eaves), (x, y, eaves)]
            stage.shapes.polygon(face, wall, depth)
            if palette.roof_pitch > 0.2:
                back, top = x + side * 4, eaves + 4 * palette.roof_pitch
                roof = [(x, y, eaves), (x, y + long, eaves), (back, y + long, top), (back, y, top)]
                stage.shapes.polygon(roof, shade(palette.roof, rng.uniform(0.85, 1.1)), depth)
        y += long + (0.0 if rng.random() < palette.terraced else rng.uniform(2, 9))


def _wood(stage: Stage, side: int, rng: Random) -> None:
    """A wood's edge: a dark wall with a ragged top, in two rows."""
    for row, away in enumerate((26.0, 13.0)):
        x, y, high = side * (stage.edge_m + away), stage.behind_m, rng.uniform(8, 13)
        while y < stage.ahead_m:
            long = rng.uniform(2.2, 4.0)
            high = min(17.0, max(6.0, high + rng.uniform(-2.4, 2.4)))
            if row == 0 or rng.random() < stage.place.forest - 0.2:
                colour = shade(stage.foliage(rng), 0.62 + 0.12 * row)
                peak = y + long * rng.uniform(0.3, 0.7)
                face = [
                    (x, y, 0.0),
                    (x, y + long, 0.0),
                    (x, y + long, high * 0.72),
                    (x, peak, high),
                    (x, y, high * 0.7),
                ]
                stage.shapes.polygon(face, colour, stage.view.distance(x, y + long / 2))
            y += long * 0.8
