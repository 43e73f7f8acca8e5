"""Draw a street scene.

In: surroundings, a camera and a nuisance seed; never a coordinate, a name or an id. Out: JPEG bytes.
"""

import math
from dataclasses import replace
from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from geolocate.emulator.camera import CAMERA_HEIGHT_M, Camera, Viewpoint
from geolocate.emulator.furniture import place_furniture
from geolocate.emulator.hills import fill_sea, raise_hills, stand_backdrop
from geolocate.emulator.light import light_of
from geolocate.emulator.nature import dress_country, lay_fields
from geolocate.emulator.palettes import palette_of
from geolocate.emulator.pictures import scene_bytes
from geolocate.emulator.roadside import fill_plots, lay_road
from geolocate.emulator.shapes import Shapes, whole
from geolocate.emulator.stage import Stage
from geolocate.emulator.vehicles import park_cars
from geolocate.emulator.world import Surroundings
from geolocate.geography.hashing import mix, mix_arrays, unit

Pixels = NDArray[np.float32]

#: How much of the variance of a look is a street's own.
_STREET_VARIANCE = 0.12
_TILE = 512
#: The ground's texture is the same beyond this.
_FAR_M = 3000.0
#: Grain and blotches on the ground: how many metres a texel is, how strong, and how far away it blurs, in metres.
_GROUND_NOISE = ((0.045, 0.9, 12.0), (0.3, 0.75, 120.0))
#: How rough asphalt, pavement and open ground are.
_ROUGHNESS = (0.055, 0.05, 0.15)
_BUILDERS = (
    fill_sea, raise_hills, stand_backdrop, dress_country, fill_plots, place_furniture, park_cars,
)  # fmt: skip


def draw_scene(surroundings: Surroundings, camera: Camera, nuisance: int) -> bytes:
    """Draw what the camera sees; the same arguments give the same bytes."""
    stage = _stage(surroundings, camera, nuisance)
    image = _ground(stage)
    for add in _BUILDERS:
        add(stage)
    stage.shapes.paint(ImageDraw.Draw(image))
    return scene_bytes(_exposed(stage, image))


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
    horizon = min(size[1], max(0, math.ceil(view.horizon + 0.5)))
    if horizon:
        image.paste(_sky(stage, horizon), (0, 0))
    if horizon < size[1]:
        below = np.asarray(image.crop((0, horizon, *size)), dtype=np.float32)
        rows = np.arange(horizon, size[1], dtype=np.float32) + 0.5
        textured = np.clip(below * _ground_texture(stage, rows)[..., None], 0, 255).astype(np.uint8)
        image.paste(Image.fromarray(textured), (0, horizon))
    return image


def _ground_texture(stage: Stage, rows: Pixels) -> Pixels:
    """How light each ground pixel is, (rows, width), from noise that lies on the ground in perspective."""
    view = stage.view
    pitch = math.radians(view.camera.pitch)
    rows = rows.astype(np.float32)
    up = (view.camera.height / 2 - rows) / view.focal
    sink = -(up * math.cos(pitch) + math.sin(pitch))
    reach = np.minimum(CAMERA_HEIGHT_M / np.maximum(sink, 1e-4), np.float32(_FAR_M))
    ahead = reach * (math.cos(pitch) - up * math.sin(pitch))
    columns = (np.arange(view.camera.width, dtype=np.float32) + 0.5 - view.camera.width / 2) / view.focal
    side = reach[:, None] * columns[None, :]
    cos, sin = view.turn
    east = side * cos + ahead[:, None] * sin
    north = ahead[:, None] * cos - side * sin
    across = np.abs(east + np.float32(view.x))
    road, pavement, open_ground = (np.float32(value) for value in _ROUGHNESS)
    rough = np.where(across < stage.road_m / 2, road, np.where(across < stage.edge_m, pavement, open_ground))
    noise = np.zeros_like(east)
    for tile, (texel_m, strength, blur_m) in zip(_ground_tiles(), _GROUND_NOISE, strict=True):
        # Far away many texels share a pixel and average out.
        kept = np.float32(strength) / (1 + reach[:, None] * np.float32(1 / blur_m))
        at = [(v * np.float32(1 / texel_m)).astype(np.int32) & (_TILE - 1) for v in (east, north)]
        noise += kept * tile[at[0], at[1]]
    return np.asarray(1 + rough * noise, dtype=np.float32)


def _sky(stage: Stage, height: int) -> Image.Image:
    """The sky's gradient with clouds, down to a row."""
    view, light = stage.view, stage.light
    width = view.camera.width
    rows = np.arange(height) + 0.5
    rise = np.clip((view.horizon - rows) / (0.9 * view.focal), 0, 1)[:, None]
    low, top = np.array(light.sky_low), np.array(light.sky_top)
    column = np.round(low + (top - low) * rise).clip(0, 255).astype(np.uint8)
    gradient = Image.fromarray(np.ascontiguousarray(np.broadcast_to(column[:, None], (height, width, 3))))
    rng = stage.rng(7)
    top_row, left = rng.randrange(_TILE), (rng.randrange(_TILE) + int(view.yaw * view.focal)) % _TILE
    clouds = _cloud_picture().crop((left, top_row, left + width, top_row + height))
    thickness = [round(191 * min(1.0, max(0.0, level / 255 + 1.1 * light.overcast - 0.9))) for level in range(256)]
    return Image.composite(Image.new("RGB", gradient.size, (232, 233, 236)), gradient, clouds.point(thickness))


def _exposed(stage: Stage, image: Image.Image) -> Image.Image:
    """What the camera makes of the light: gain, colour cast, grain."""
    light = stage.light
    rng = stage.rng(8, round(stage.view.camera.heading * 16))
    left, top = rng.randrange(_TILE), rng.randrange(_TILE)
    table = [min(255, int(level * light.gain * cast + 0.5)) for cast in light.cast for level in range(256)]
    grain = _grain_picture(light.grain).crop((left, top, left + image.width, top + image.height))
    return ImageChops.add(image.point(table), grain, 1, -128)


@lru_cache(maxsize=8)
def _grain_picture(strength: int) -> Image.Image:
    """Grain of so many grey levels around 128, room for a whole picture from any start."""
    levels = np.clip(np.round(_noise_tile() * strength) + 128, 0, 255).astype(np.uint8)
    return Image.fromarray(np.tile(levels, (3, 3))).convert("RGB")


@lru_cache(maxsize=1)
def _noise_tile() -> Pixels:
    """White noise of variance 1 that repeats after _TILE pixels; from hashes, so the same on every machine."""
    words = mix_arrays(1, np.arange(_TILE * _TILE))
    total = sum(unit(words, part) for part in range(4)) - 2.0
    return np.asarray(total * math.sqrt(3), dtype=np.float32).reshape(_TILE, _TILE)


@lru_cache(maxsize=1)
def _ground_tiles() -> tuple[Pixels, Pixels]:
    """Grain, and blotches of several sizes: mean 0 and variance 1, repeating after _TILE texels."""
    fine, coarse = (
        (tile - tile.mean()) / tile.std() for tile in (_octaves((64, 128, 256), 20), _octaves((8, 16, 32, 64), 30))
    )
    return np.asarray(0.7 * fine + 0.7 * _noise_tile(), dtype=np.float32), np.asarray(coarse, dtype=np.float32)


@lru_cache(maxsize=1)
def _cloud_picture() -> Image.Image:
    """Clouds in 256 levels, wider than high, room for a whole picture from any start."""
    levels = np.round(np.clip(_octaves((4, 8, 16, 32), 2), 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(np.tile(levels[::2], (6, 3)))


def _octaves(sizes: tuple[int, ...], start: int) -> Pixels:
    """Sum smooth noise of so many cells a tile, each half as strong as the one before."""
    total = np.zeros((_TILE, _TILE))
    for octave, cells in enumerate(sizes):
        corners = unit(mix_arrays(start + octave, np.arange(cells * cells))).reshape(cells, cells)
        at = np.arange(_TILE) * cells / _TILE
        low = at.astype(int)
        share = at - low
        share = share * share * (3 - 2 * share)
        rows = corners[low] * (1 - share)[:, None] + corners[(low + 1) % cells] * share[:, None]
        total += (rows[:, low] * (1 - share) + rows[:, (low + 1) % cells] * share) * 0.5 ** (octave + 1)
    return np.asarray(total, dtype=np.float32)
