"""Streets of the emulated world differ and agree as real ones do."""

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.world_probe import draw
from geolocate.emulator.camera import Camera
from geolocate.emulator.light import light_of
from geolocate.emulator.panoramas import EmulatedPanorama, nearest_panorama
from geolocate.emulator.scenes import draw_scene
from geolocate.emulator.world import Surroundings, surroundings_at

HEADINGS = (0.0, 90.0, 180.0)


def panorama(lat: float, lon: float) -> EmulatedPanorama:
    found = nearest_panorama(0, lat, lon, 2000.0)
    assert found is not None
    return found


def place(lat: float, lon: float, seed: int = 0) -> Surroundings:
    found = surroundings_at(seed, lat, lon, 0.0, 0)
    assert found is not None
    return found


def small(body: bytes) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(body)).resize((8, 8), Image.Resampling.BOX), dtype=float)


def unlike(first: tuple[float, float], second: tuple[float, float]) -> float:
    """How much two places' looks differ, on average over worlds."""
    pairs = [(place(*first, seed).look, place(*second, seed).look) for seed in range(10)]
    return float(np.mean([np.abs(np.subtract(*pair)).mean() for pair in pairs]))


def test_headings_of_a_panorama_differ_about_as_much_as_panoramas_of_a_street_in_one_light() -> None:
    spots = [panorama(52.48 + 0.013 * k, -1.9 + 0.017 * k) for k in range(-4, 5)]
    light = spots[0].nuisance >> 32 << 32
    same_light = [replace(spot, nuisance=light | spot.nuisance & 0xFFFFFFFF) for spot in spots]
    thumbs = np.array([[small(draw((spot, heading, 96))) for heading in HEADINGS] for spot in same_light])
    turned = np.mean([np.abs(thumbs[:, a] - thumbs[:, b]).mean() for a, b in ((0, 1), (1, 2), (0, 2))])
    moved = np.mean([np.abs(thumbs[k] - thumbs[k - 1]).mean() for k in range(len(thumbs))])
    assert 0.6 * moved < turned < 2.5 * moved
    # No two views of one panorama are nearly the same picture.
    assert min(np.abs(views[a] - views[b]).mean() for views in thumbs for a, b in ((0, 1), (1, 2), (0, 2))) > 3


def test_one_drive_has_one_light_and_each_picture_its_own_cars() -> None:
    leeds = place(53.8, -1.55)
    drive = 5 << 32
    assert light_of(leeds, drive | 1) == light_of(leeds, drive | 2)
    lights = [light_of(leeds, k << 32) for k in range(40)]
    assert len({light.cast for light in lights}) == 40
    assert np.std([light.overcast for light in lights]) > 0.2
    assert {light.leaf for light in lights} > {1.0}
    front = Camera(0.0, 0.0, 90.0, 96, 96)
    assert draw_scene(leeds, front, drive | 1) != draw_scene(leeds, front, drive | 2)


@pytest.mark.parametrize(
    ("suburb", "parent", "other"),
    [
        ((53.82, -1.58), (53.797, -1.544), (53.38, -1.47)),  # Headingley, Leeds, Sheffield
        ((53.487, -2.29), (53.48, -2.244), (53.41, -2.98)),  # Salford, Manchester, Liverpool
        ((42.36, -71.06), (42.33, -71.09), (42.36, -83.05)),  # Boston, a part of it, Detroit
    ],
)
def test_a_suburb_looks_more_like_its_parent_than_like_another_large_city(
    suburb: tuple[float, float], parent: tuple[float, float], other: tuple[float, float]
) -> None:
    assert unlike(suburb, parent) < 0.8 * unlike(suburb, other)


def test_twin_towns_of_a_county_are_alike_but_not_the_same() -> None:
    burnley, accrington, nelson, exeter = (53.789, -2.248), (53.753, -2.364), (53.835, -2.214), (50.72, -3.53)
    far = unlike(burnley, exeter)
    for twin in (accrington, nelson):
        assert 0.2 * far < unlike(burnley, twin) < 0.7 * far


@pytest.mark.parametrize(
    ("at", "left", "irish"),
    [
        ((53.35, -6.26), True, True),  # Dublin
        ((52.14, -10.27), True, True),  # Dingle
        ((54.6, -5.93), True, False),  # Belfast
        ((54.15, -4.48), True, False),  # Douglas, Isle of Man
        ((49.187, -2.106), True, False),  # St Helier, Jersey
        ((49.18, -0.36), False, False),  # Caen
    ],
)
def test_the_neighbours_of_the_united_kingdom_are_mapped_with_their_own_roads(
    at: tuple[float, float], left: bool, irish: bool
) -> None:
    ground = place(*at)
    assert (ground.drives_left, ground.irish, ground.american) == (left, irish, False)
    assert nearest_panorama(0, *at, 500.0) is not None


def test_the_skyline_is_the_relief_that_is_there() -> None:
    boulder, fens, denver = place(40.01, -105.27), place(52.83, -0.06), place(39.6, -104.7)
    west, east = boulder.skyline[11:14], boulder.skyline[2:6]
    assert min(west) > max(east) + 0.03  # the Rocky Mountains stand west of Boulder
    assert max(fens.skyline) < 0.01
    assert max(denver.skyline) < max(boulder.skyline)
    assert place(40.755, -73.98).downtown > 0.6 > 0.05 > place(53.257, -1.913).downtown
