"""What comes back is looked at: a body that decodes is no proof of success."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geolocate.collection.validation import why_not
from geolocate.emulator.pictures import error_picture, grey_picture
from geolocate.records import ImageReason, Picture, View

SIZES = [(64, 64), (128, 128), (224, 224), (256, 256), (320, 320), (400, 300), (640, 320), (640, 640)]


def encoded(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def street(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Sky above, ground below, both with texture."""
    rng = np.random.default_rng(seed)
    small = rng.integers(30, 200, (8, 8, 3)).astype(np.uint8)
    scene = np.asarray(Image.fromarray(small).resize((width, height))).astype(float)
    scene[: height // 2] = np.array([200, 215, 235]) + rng.normal(0, 2, (height // 2, width, 3))
    return scene + rng.normal(0, 6, scene.shape)


def night(width: int, height: int) -> np.ndarray:
    """Dark nearly everywhere, and some lamps."""
    scene = 8 + np.random.default_rng(1).normal(0, 2, (height, width, 3))
    scene[height // 3 : height // 3 + height // 12, :: max(width // 8, 1)] = (250, 230, 180)
    return scene


def fog(width: int, height: int) -> np.ndarray:
    """A grey that becomes lighter upwards, and a faint outline."""
    scene = np.linspace(225, 190, height)[:, None, None] + np.random.default_rng(2).normal(0, 3, (height, width, 3))
    scene[height // 2 :, width // 3 : width // 2] -= 18
    return scene


def judged(body: bytes, width: int, height: int, content_type: str = "image/jpeg", status: int = 200):
    return why_not(Picture(body, content_type, status), View(0.0, width=width, height=height))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_messages_are_told_from_pictures_and_from_each_other_at_every_size(width, height):
    assert judged(grey_picture(width, height), width, height) is ImageReason.GREY_PICTURE
    assert judged(error_picture(width, height), width, height) is ImageReason.ERROR_PICTURE
    assert judged(encoded(np.full((height, width, 3), 255)), width, height) is ImageReason.ERROR_PICTURE
    for scene in (street, night, fog):
        assert judged(encoded(scene(width, height)), width, height) is None, scene


@pytest.mark.parametrize("ground", [(0xE4, 0xE3, 0xDF), (0xE3, 0xE2, 0xDD), (0xE0, 0xDE, 0xD8)])
def test_all_greys_that_were_seen_are_known(ground):
    assert judged(encoded(np.full((320, 320, 3), ground)), 320, 320) is ImageReason.GREY_PICTURE


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"", "image/jpeg", 200, ImageReason.EMPTY),
        (b"<html>", "text/html", 200, ImageReason.HTML),
        (b" <!doctype html>", "image/jpeg", 200, ImageReason.HTML),
        (b"{}", "application/json", 200, ImageReason.WRONG_TYPE),
        (b"\x89PNG", "image/png", 200, ImageReason.WRONG_TYPE),
        (b"", "text/plain", 404, ImageReason.NOT_FOUND),
        (b"\xff\xd8", "image/jpeg", 200, ImageReason.TRUNCATED),
        (b"\xff\xd8nonsense\xff\xd9", "image/jpeg", 200, ImageReason.TRUNCATED),
    ],
)
def test_each_kind_of_bad_answer_has_its_reason(body, content_type, status, reason):
    assert judged(body, 320, 320, content_type, status) is reason


def test_another_size_is_no_picture_of_this_view():
    assert judged(encoded(street(320, 240)), 320, 320) is ImageReason.WRONG_SIZE


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9, 0.99])
def test_a_cut_picture_is_truncated_wherever_it_was_cut(kept):
    body = encoded(street(320, 320))
    assert judged(body[: int(len(body) * kept)], 320, 320) is ImageReason.TRUNCATED


BODY = encoded(street(96, 96))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, 255)), max_size=20), st.integers(0, len(BODY)))
def test_no_damage_ends_a_run(changes, length):
    damaged = bytearray(BODY)
    for place, value in changes:
        damaged[place] = value
    reason = judged(bytes(damaged[:length]), 96, 96)
    assert reason is None or reason in ImageReason
