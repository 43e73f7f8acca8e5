"""Say where panoramas are: along roads, denser in towns, missing in places, dated, some taken by users.

In: a seed and a position, or an id; how many months after the frozen world it is. Out: the nearest panorama, or None.

The ground is cut into tiles of about 1.1 km. Roads lead north and east through the tiles of a whole degree of
latitude, so that they run on from tile to tile; how many of them a tile has hangs on how built-up it is. Nothing is
stored: a tile is computed from hashes when it is asked for, and forgotten again.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geolocate.emulator import ground
from geolocate.emulator.identifiers import Slot, decode_id, encode_id
from geolocate.emulator.later import LAST_YEAR, NEVER, drives_of, last_drives, month_of
from geolocate.emulator.noise import EARTH_RADIUS_KM
from geolocate.geography.hashing import Words, mix, mix_arrays, unit

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

ROWS_PER_DEGREE = 100
TILE_M = math.radians(1 / ROWS_PER_DEGREE) * EARTH_RADIUS_KM * 1000
#: No answer lies further away than this, whatever radius is asked for.
MAX_RADIUS_M = 5000.0
_MAX_ROADS = 12
#: Roads swing to either side of their line by up to this many metres, in waves of 1 to 3 km.
_SWING_M = 60.0
#: So far a road can leave its tile; tiles of a degree of latitude differ a little in width.
_LEAVE_M = 1.1 * _SWING_M
_FIRST_YEAR, _YEARS = 2009, 16
#: Tiles that one capture drive follows a road through: about 4 km.
_DRIVE_TILES = 4
#: The share of a covered road's steps that have a panorama.
_KEPT = 0.985
#: Further than this from the coast a tile is all land or all sea.
_NEAR_COAST_KM = 1.5
_OWNERS = ("Alex Morgan", "Priya Shah", "Tom Becker", "Wanderlust Photos", "Sam O'Neill", "Harbour View Hotel")


@dataclass(frozen=True, slots=True)
class Tile:
    """The panoramas of one tile, as columns: positions, and the hash that everything else about them hangs on.

    ``driven`` is the year of the latest drive, counted from the frozen world's last; ``drive_hash`` that of the first.
    """

    slots: Whole
    lat: Floats
    lon: Floats
    bearing: Floats
    pano_hash: Words
    drive_hash: Words
    driven: Whole


_NO_WORDS, _NOWHERE = np.zeros(0, np.uint64), np.zeros(0)
_EMPTY = Tile(np.zeros((0, 5), np.int64), _NOWHERE, _NOWHERE, _NOWHERE, _NO_WORDS, _NO_WORDS, np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class EmulatedPanorama:
    """A panorama of the emulated world.

    ``nuisance`` is 64 bits: the upper half belongs to the capture drive (month, weather, camera), the lower half
    to this panorama alone.
    """

    pano_id: str
    lat: float
    lon: float
    date: str
    copyright: str
    road_bearing: float
    road_rank: int
    nuisance: int


def nearest_panorama(seed: int, lat: float, lon: float, radius_m: float, months: int = 0) -> EmulatedPanorama | None:
    """Return the latest panorama nearest to the position, or None when none lies within the radius."""
    radius_m = min(radius_m, MAX_RADIUS_M)
    best: tuple[float, Tile, int] | None = None
    for gap_m, row, column in _tiles_around(lat, lon, radius_m):
        if best is not None and gap_m >= best[0]:
            break
        tile = load_tile(seed, row, column, months)
        if tile.lat.size == 0:
            continue
        distance = _metres(lat, lon, tile.lat, tile.lon)
        index = int(np.argmin(distance))
        if distance[index] <= (best[0] if best else radius_m):
            best = float(distance[index]), tile, index
    return _panorama(seed, best[1], best[2]) if best else None


def tiles_in_box(south: float, west: float, north: float, east: float) -> list[tuple[int, int]]:
    """List (row, column) of the tiles whose panoramas can lie in a box of degrees."""
    lat, lon = (south + north) / 2, (west + east) / 2
    radius_m = float(_metres(lat, lon, np.array([north, south]), np.array([east, west])).max())
    return [(row, column) for _, row, column in _tiles_around(lat, lon, radius_m)]


@lru_cache(maxsize=64)
def panoramas_of_tile(seed: int, row: int, column: int) -> tuple[EmulatedPanorama, ...]:
    """Return all panoramas of one tile."""
    tile = load_tile(seed, row, column)
    return tuple(_panorama(seed, tile, index) for index in range(tile.lat.size))


def panorama_by_id(seed: int, pano_id: str, months: int = 0) -> EmulatedPanorama | None:
    """Return the panorama with the id, or None when there is none; one that was driven anew is still there."""
    slot = decode_id(seed, pano_id)
    if slot is None:
        return None
    tile = load_tile(seed, slot.row, slot.column, months)
    here = (tile.slots[:, 2:] == (slot.axis, slot.road, slot.step)).all(axis=1)
    found = np.flatnonzero(here & (tile.driven >= slot.year))
    return _panorama(seed, tile, int(found[0]), slot.year) if found.size else None


def _metres(lat: float, lon: float, lats: Floats, lons: Floats) -> Floats:
    """Distance on the sphere; the flat approximation is exact to a millimetre at this range."""
    north = np.radians(lats - lat)
    east = np.radians((lons - lon + 180) % 360 - 180) * np.cos(np.radians((lats + lat) / 2))
    return np.asarray(np.hypot(north, east) * EARTH_RADIUS_KM * 1000)


def _columns(row: int) -> int:
    """How many tiles go round the earth; the same within a degree of latitude, so that roads go on."""
    band = math.floor((row + 0.5) / ROWS_PER_DEGREE) - 90
    return max(1, round(360 * ROWS_PER_DEGREE * math.cos(math.radians(band + 0.5))))


def _tiles_around(lat: float, lon: float, radius_m: float) -> list[tuple[float, int, int]]:
    """List (gap in metres, row, column) of the tiles within the radius, nearest first."""
    y = (lat + 90) * ROWS_PER_DEGREE
    # Swinging roads leave their tile by a little.
    far_m = radius_m + _LEAVE_M
    reach = far_m / TILE_M
    tiles = []
    for row in range(max(0, math.floor(y - reach)), min(180 * ROWS_PER_DEGREE - 1, math.floor(y + reach)) + 1):
        columns = _columns(row)
        x = (lon + 180) / 360 * columns
        width_m = TILE_M * 360 * ROWS_PER_DEGREE / columns * math.cos(math.radians(lat))
        wide = far_m / max(width_m, 1.0)
        north_m = max(row - y, y - row - 1, 0.0) * TILE_M
        for column in range(math.floor(x - wide), math.floor(x + wide) + 1):
            east_m = max(column - x, x - column - 1, 0.0) * width_m
            gap_m = max(0.0, math.hypot(north_m, east_m) - _LEAVE_M)
            tiles.append((gap_m, row, column % columns))
    return sorted(tiles)


@lru_cache(maxsize=4096)
def load_tile(seed: int, row: int, column: int, months: int = 0) -> Tile:
    """Compute one tile's panoramas, so many months after the frozen world."""
    columns = _columns(row)
    lat = (row + 0.5) / ROWS_PER_DEGREE - 90
    lon = (column + 0.5) / columns * 360 - 180
    built, coverage, coast_km = _settlement(lat, lon)
    if coverage == 0:
        return _EMPTY
    parts = [_roads(seed, (row, column), axis, (built, coverage), months) for axis in (0, 1)]
    slots, across, along, bearing, hashes, drive, driven = (np.concatenate(part) for part in zip(*parts, strict=True))
    north_south = slots[:, 2] == 0
    lats = (row + np.where(north_south, along, across)) / ROWS_PER_DEGREE - 90
    lons = (column + np.where(north_south, across, along)) / columns * 360 - 180
    keep = _on_land(lats, lons, coast_km) & (unit(hashes, 3) < _KEPT)
    return Tile(slots[keep], lats[keep], lons[keep], bearing[keep], hashes[keep], drive[keep], driven[keep])


def _settlement(lat: float, lon: float) -> tuple[float, float, float]:
    """How built-up a tile is, which share of its roads was ever photographed, and how far inland it lies."""
    cell = ground.ground_at(lat, lon)
    if cell is None or (coast_km := (cell.value("coast") - 128) / 4) < -_NEAR_COAST_KM:
        return 0.0, 0.0, 0.0
    built = cell.value("built") / 252
    wild = cell.share("cover", ground.FOREST | ground.SHRUB | ground.BARREN) + 0.6 * cell.value("rough") / 252
    return built, min(0.97, max(0.12, 0.62 + 0.9 * built - 0.45 * wild)), coast_km


def _on_land(lats: Floats, lons: Floats, coast_km: float) -> NDArray[np.bool_]:
    """Panoramas stand on land, and on piers and beaches a stone's throw beyond the coast."""
    if coast_km > _NEAR_COAST_KM:
        return np.ones(lats.size, dtype=bool)
    cells = [ground.ground_at(*place) for place in zip(lats.tolist(), lons.tolist(), strict=True)]
    return np.array([cell is not None and (cell.value("coast") - 128) / 4 > -0.15 for cell in cells], dtype=bool)


def _roads(
    seed: int, tile: tuple[int, int], axis: int, settled: tuple[float, float], months: int
) -> tuple[Whole, Floats, Floats, Floats, Words, Words, Whole]:
    """Lay one axis's roads through a tile that is ``settled`` so (how built-up, how much covered), as columns.

    Slots (N, 5), positions across and along the road's line in tiles, bearings in degrees, hashes of panoramas and
    of first capture drives, years of the latest drives, each (N,).
    """
    row, column = tile
    built, coverage = settled
    line, stretch = (column, row) if axis == 0 else (row, column)
    roads = np.arange(round(1.2 + built * (_MAX_ROADS - 1)))
    # Along a whole degree a road keeps its hash: it runs on through the tiles.
    shape = mix_arrays(mix(seed, 1, row // ROWS_PER_DEGREE, line, axis), roads)
    detail = mix_arrays(2, shape)
    lacking = unit(mix_arrays(mix(3, stretch // 2), shape)) - coverage
    # A drive follows one road for kilometres. Were it to take all the roads around, its light would tell the place.
    drives = mix_arrays(mix(seed, 5, stretch // _DRIVE_TILES), shape)
    driven = last_drives(drives, lacking, months)
    spacing_m = np.where(built > 0.35, 22, 45) * (0.8 + 0.6 * unit(shape, 0))
    steps = np.floor(TILE_M / spacing_m).astype(np.int64)
    road = np.repeat(roads, np.where(driven != NEVER, steps, 0))
    step = np.arange(road.size) - np.searchsorted(road, road)
    hashes = mix_arrays(mix(seed, 4, row, column, axis), shape[road], step)
    along = (step + 0.25 + 0.5 * unit(hashes, 0)) / steps[road]
    swing = (_SWING_M / TILE_M * (1 - 0.7 * built) * unit(shape, 1))[road]
    wave = (2 * math.pi / 3 * (1 + np.floor(2 * unit(shape, 2))))[road]
    phase = wave * (along + stretch) + (2 * math.pi * unit(detail, 0))[road]
    across = unit(detail, 1)[road] + swing * np.sin(phase)
    lean = np.degrees(np.arctan(swing * wave * np.cos(phase)))
    slots = np.column_stack([np.full_like(road, row), np.full_like(road, column), np.full_like(road, axis), road, step])
    return slots, across, along, lean if axis == 0 else 90 - lean, hashes, drives[road], driven[road]


def _panorama(seed: int, tile: Tile, index: int, year: int | None = None) -> EmulatedPanorama:
    """Describe one panorama of a tile as of its latest drive, or of that of a year."""
    row, column, axis, road, step = tile.slots[index].tolist()
    year = int(tile.driven[index]) if year is None else year
    drives = drives_of(tile.drive_hash[index : index + 1], year)
    own, drive = int(tile.pano_hash[index]), int(drives[0])
    photosphere = own % 1000 < 25
    owner = _OWNERS[own // 1000 % len(_OWNERS)] if photosphere else "Google"
    return EmulatedPanorama(
        pano_id=encode_id(seed, Slot(row, column, axis, road, step, year), photosphere),
        lat=round(float(tile.lat[index]), 7),
        lon=round(float(tile.lon[index]), 7),
        date=f"{LAST_YEAR + year}-{int(month_of(drives)[0]):02d}" if year else capture_date(drive >> 32),
        copyright=f"© {owner}",
        road_bearing=float(tile.bearing[index]) % 180,
        road_rank=min(road, 3),
        nuisance=(drive >> 32) << 32 | own & 0xFFFFFFFF,
    )


def capture_month(drive_seed: int) -> int:
    """The month of a drive, 1 to 12; few drives are made in winter."""
    return (1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 12)[drive_seed % 19]


def capture_date(drive_seed: int) -> str:
    """The month of a drive as "YYYY-MM"."""
    year = _FIRST_YEAR + int(_YEARS * math.sqrt(drive_seed // 19 % 1000 / 1000))
    return f"{year}-{capture_month(drive_seed):02d}"
