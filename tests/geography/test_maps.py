"""A map shows the positions that it is given, over the land, and is the same file for the same positions."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geolocate.errors import RegionError, StorageError
from geolocate.geography.maps import draw_points, map_png
from geolocate.geography.regions import load_region

TEST, TRAIN = (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)


def pixels(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)


def share_of(picture: np.ndarray, colour: tuple[int, int, int]) -> float:
    # Dots are slightly transparent.
    return float((np.abs(picture - colour).max(axis=2) < 60).mean())


def test_positions_are_drawn_in_the_colour_of_their_part() -> None:
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(51.5, 53.5, 300), rng.uniform(-2.5, 0.0, 300)
    uk = load_region("uk")
    both = pixels(map_png(uk, lat, lon, colour_by=np.where(lat > 52.5, "test", "train"), title="two parts"))
    one = pixels(map_png(uk, lat, lon, colour_by=np.full(300, "train")))
    assert share_of(one, TRAIN) > share_of(both, TRAIN) > 0.002
    assert share_of(both, TEST) > 0.002 > share_of(one, TEST)
    north, south = np.split(both, 2)
    # The land of Great Britain reaches far to the north: all positions are in the lower half.
    assert share_of(north, TEST) < share_of(south, TEST)


def test_a_state_far_off_has_axes_of_its_own() -> None:
    us = load_region("us")
    contiguous = pixels(map_png(us, [40.0, 35.0], [-100.0, -90.0]))
    all_zones = pixels(map_png(us, [40.0, 35.0, 64.0, 52.9, 20.0], [-100.0, -90.0, -150.0, 173.0, -156.0]))
    assert all_zones.shape[0] > 1.15 * contiguous.shape[0]
    # Were the Aleutians beyond 180 degrees on the same axes, the picture would be far wider than it is high.
    assert all_zones.shape[1] < 1.2 * contiguous.shape[1]


def test_the_same_positions_make_the_same_file(tmp_path: Path) -> None:
    uk = load_region("uk")
    draw_points(uk, [51.5, 55.9], [-0.1, -3.2], tmp_path / "a.png")
    draw_points(uk, [51.5, 55.9], [-0.1, -3.2], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != map_png(uk, [51.5, 57.0], [-0.1, -3.2])


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegionError, match="no position is in region 'uk'"):
        map_png(load_region("uk"), [10.0], [10.0])
    with pytest.raises(StorageError, match=r"a\.jpg: choose a name that ends in \.png"):
        draw_points(load_region("uk"), [51.5], [0.0], tmp_path / "a.jpg")
