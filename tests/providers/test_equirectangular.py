"""Views out of a 360° picture look where they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geolocate.providers.equirectangular import cut_view
from geolocate.records import View

WIDTH, HEIGHT = 720, 360


def sphere_with_mark(azimuth_deg, elevation_deg, heading_deg):
    """A black 360° picture whose middle looks to ``heading_deg``, with a white mark of 2° in one direction."""
    columns = (np.arange(WIDTH) + 0.5) / WIDTH * 360 - 180 + heading_deg
    rows = 90 - (np.arange(HEIGHT) + 0.5) / HEIGHT * 180
    east = (columns - azimuth_deg + 180) % 360 - 180
    near = np.hypot(east[None] * math.cos(math.radians(elevation_deg)), rows[:, None] - elevation_deg) <= 1
    return Image.fromarray(np.where(near, 255, 0).astype(np.uint8)).convert("RGB")


def middle_of_mark(picture):
    shine = np.asarray(picture.convert("L"), float)
    rows, columns = np.indices(shine.shape) + 0.5
    return (columns * shine).sum() / shine.sum(), (rows * shine).sum() / shine.sum()


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 360), st.floats(-50, 50), st.floats(0, 360), st.sampled_from([40.0, 90.0, 120.0]))
def test_what_lies_in_the_view_s_direction_is_in_its_middle(azimuth, elevation, heading, fov):
    view = View(azimuth, elevation, fov, 161, 121)
    column, row = middle_of_mark(cut_view(sphere_with_mark(azimuth, elevation, heading), view, heading))
    assert (column, row) == pytest.approx((80.5, 60.5), abs=1.5)


@pytest.mark.parametrize("offset", [-40, -20, 20, 40])
def test_angles_beside_it_are_those_of_a_pinhole_camera(offset):
    view = View(200.0, 0.0, 90.0, 320, 240)
    column, row = middle_of_mark(cut_view(sphere_with_mark(200 + offset, 0, 77), view, 77))
    assert column == pytest.approx(160 + 160 * math.tan(math.radians(offset)), abs=1.5)
    assert row == pytest.approx(120, abs=1.0)


def test_up_is_up_and_pixels_are_square():
    view = View(0.0, 0.0, 90.0, 320, 160)
    _, row = middle_of_mark(cut_view(sphere_with_mark(0, 20, 0), view, 0))
    assert row == pytest.approx(80 - 160 * math.tan(math.radians(20)), abs=1.5)


def test_a_much_finer_picture_is_averaged_and_not_sampled():
    stripes = np.zeros((1440, 2880, 3), np.uint8)
    stripes[:, ::2] = 255
    view = np.asarray(cut_view(Image.fromarray(stripes), View(0.0, 0.0, 90.0, 64, 64), 0))
    assert view.min() > 100
    assert view.max() < 155
