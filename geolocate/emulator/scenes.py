"""Draw a street scene.

In: surroundings, a camera and a nuisance seed; never a coordinate, a name or an id. Out: JPEG bytes.
"""

import math
from dataclasses import replace
from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from geolocate.emulator.camera import CAMERA_HEIGHT_M, Camera, Viewpoint
from geolocate.emulator.light import light_of
from geolocate.emulator.nature import fill_sea, lay_fields, raise_hills
from geolocate.emulator.noise import mix, mix_arrays, unit
from geolocate.emulator.palettes import palette_of
from geolocate.emulator.pictures import jpeg_bytes
from geolocate.emulator.roadside import fill_plots, lay_road, park_cars, place_furniture
from geolocate.emulator.shapes import Shapes, whole
from geolocate.emulator.stage import Stage
from geolocate.emulator.world import Surroundings

Pixels = NDArray[np.float32]

#: How much of the variance of a look is a street's own.
_STREET_VARIANCE = 0.28
_TILE = 512
#: Noise is laid on the ground in two sizes, whose cells are this many metres wide.
_GROUND_CELLS_M = (0.07, 0.55)


def draw_scene(surroundings: Surroundings, camera: Camera, nuisance: int) -> bytes:
    """Draw what the camera sees; the same arguments give the same bytes."""
    stage = _stage(surroundings, camera, nuisance)
    image = _ground(stage)
    fill_sea(stage)
    raise_hills(stage)
    fill_plots(stage)
    place_furniture(stage)
    park_cars(stage)
    stage.shapes.paint(ImageDraw.Draw(image))
    return jpeg_bytes(_exposed(stage, image))


def _stage(place: Surroundings, camera: Camera, nuisance: int) -> Stage:
    own = nuisance & 0xFFFFFFFF
    palette, light = palette_of(_as_street(place, own)), light_of(place, nuisance)
    lane = -1 if place.drives_left else 1
    view = Viewpoint(camera, math.radians(camera.heading - place.road_bearing), lane * 1.7)
    return Stage(place, palette, light, view, Shapes(view, light.sky_low, light.haze_m), own)


def _as_street(place: Surroundings, own: int) -> Surroundings:
    """Let a street differ from its neighbourhood: without this a town would be told by a few numbers."""
    rng = Random(mix(own, 9))
    keep = math.sqrt(1 - _STREET_VARIANCE)
    look = tuple(keep * value + math.sqrt(_STREET_VARIANCE) * rng.gauss(0, 1) for value in place.look)
    return replace(place, look=look)


def _ground(stage: Stage) -> Image.Image:
    """Sky above the horizon, and below it the ground with its road, rough as ground is."""
    view, light = stage.view, stage.light
    size = (view.camera.width, view.camera.height)
    image = Image.new("RGB", size, whole(stage.palette.soil))
    shapes = Shapes(view, light.sky_low, 1e9)
    lay_fields(stage, shapes)
    lay_road(stage, shapes)
    shapes.paint(ImageDraw.Draw(image))
    pixels = np.asarray(image, dtype=np.float32).copy()
    rows = np.arange(size[1], dtype=np.float32) + 0.5
    below = rows > view.horizon + 1
    pixels[below] *= _ground_texture(view, rows[below])[..., None]
    pixels[~below] = _sky(stage, rows[~below])
    np.clip(pixels, 0, 255, out=pixels)
    return Image.fromarray(pixels.astype(np.uint8))


def _ground_texture(view: Viewpoint, rows: Pixels) -> Pixels:
    """How light each ground pixel is, (rows, width), from noise that lies on the ground in perspective."""
    pitch = math.radians(view.camera.pitch)
    rows = rows.astype(np.float32)
    up = (view.camera.height / 2 - rows) / view.focal
    sink = -(up * math.cos(pitch) + math.sin(pitch))
    reach = CAMERA_HEIGHT_M / np.maximum(sink, 1e-4)
    ahead = reach * (math.cos(pitch) - up * math.sin(pitch))
    columns = (np.arange(view.camera.width, dtype=np.float32) + 0.5 - view.camera.width / 2) / view.focal
    side = reach[:, None] * columns[None, :]
    east = side * math.cos(view.yaw) + ahead[:, None] * math.sin(view.yaw)
    north = ahead[:, None] * math.cos(view.yaw) - side * math.sin(view.yaw)
    noise = np.zeros_like(east)
    for cell_m in _GROUND_CELLS_M:
        # Far away many cells share a pixel and average out.
        strength = np.float32(0.13) / (1 + reach[:, None] * np.float32(0.004 / cell_m))
        at = [(np.clip(v * np.float32(1 / cell_m), -1e8, 1e8)).astype(np.int32) & (_TILE - 1) for v in (east, north)]
        noise += strength * _noise_tile()[at[0], at[1]]
    return np.asarray(1 + noise, dtype=np.float32)


def _sky(stage: Stage, rows: Pixels) -> Pixels:
    """The sky's gradient with clouds, (rows, width, 3)."""
    view, light = stage.view, stage.light
    rise = np.clip((view.horizon - rows) / (0.9 * view.focal), 0, 1).astype(np.float32)[:, None, None]
    low, top = (np.array(colour, dtype=np.float32) for colour in (light.sky_low, light.sky_top))
    rng = stage.rng(7)
    down = ((np.arange(len(rows)) * 2 + rng.randrange(_TILE)) % _TILE)[:, None]
    across = ((np.arange(view.camera.width) + rng.randrange(_TILE) + int(view.yaw * view.focal)) % _TILE)[None, :]
    clouds = _cloud_tile()[down, across] + np.float32(1.1 * light.overcast - 0.9)
    clouds = (clouds.clip(0, 1) * np.float32(0.75))[..., None]
    return np.asarray(
        (low + (top - low) * rise) * (1 - clouds) + np.array((232, 233, 236), dtype=np.float32) * clouds,
        dtype=np.float32,
    )


def _exposed(stage: Stage, image: Image.Image) -> Image.Image:
    """What the camera makes of the light: gain, colour cast, grain."""
    light = stage.light
    rng = stage.rng(8, round(stage.view.camera.heading * 16))
    top, left = rng.randrange(_TILE), rng.randrange(_TILE)
    pixels = np.asarray(image, dtype=np.float32) * (np.array(light.cast, dtype=np.float32) * np.float32(light.gain))
    height, width = pixels.shape[:2]
    grain = _tiled_noise()[top : top + height, left : left + width]
    pixels += (grain * np.float32(light.grain))[..., None]
    np.clip(pixels, 0, 255, out=pixels)
    return Image.fromarray(pixels.astype(np.uint8))


@lru_cache(maxsize=1)
def _noise_tile() -> Pixels:
    """White noise of variance 1 that repeats after _TILE pixels; from hashes, so the same on every machine."""
    words = mix_arrays(1, np.arange(_TILE * _TILE))
    total = sum(unit(words, part) for part in range(4)) - 2.0
    return np.asarray(total * math.sqrt(3), dtype=np.float32).reshape(_TILE, _TILE)


@lru_cache(maxsize=1)
def _tiled_noise() -> Pixels:
    """The noise three times over in both directions: room for a whole picture from any start."""
    return np.tile(_noise_tile(), (3, 3))


@lru_cache(maxsize=1)
def _cloud_tile() -> Pixels:
    """Smooth noise of several sizes, about 0 to 1, that repeats after _TILE pixels."""
    total = np.zeros((_TILE, _TILE))
    for octave, cells in enumerate((4, 8, 16, 32)):
        corners = unit(mix_arrays(2 + octave, np.arange(cells * cells))).reshape(cells, cells)
        at = np.arange(_TILE) * cells / _TILE
        low = at.astype(int)
        share = at - low
        share = share * share * (3 - 2 * share)
        rows = corners[low] * (1 - share)[:, None] + corners[(low + 1) % cells] * share[:, None]
        total += (rows[:, low] * (1 - share) + rows[:, (low + 1) % cells] * share) * 0.5 ** (octave + 1)
    return np.asarray(total, dtype=np.float32)
