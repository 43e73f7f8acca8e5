"""Pictures that were not taken in a street, drawn from a seed: noise, plain colours, rooms."""

import io

import numpy as np
from PIL import Image, ImageDraw

KINDS = ("noise", "plain", "room")


def outsider(kind: str, seed: int, side: int = 320) -> bytes:
    """A JPEG of one of ``KINDS``: every pixel by chance, one colour, or a room with walls, a window and a lamp."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    body = io.BytesIO()
    _DRAW[kind](rng, side).save(body, "JPEG", quality=85)
    return body.getvalue()


def _noise(rng: np.random.Generator, side: int) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))


def _plain(rng: np.random.Generator, side: int) -> Image.Image:
    return Image.new("RGB", (side, side), tuple(int(value) for value in rng.integers(0, 256, 3)))


def _room(rng: np.random.Generator, side: int) -> Image.Image:
    """One-point perspective: ceiling, floor, three walls of one paint, a bright window, a round lamp, a table."""
    paint = rng.integers(90, 235, 3)
    near, far = 0, side * rng.uniform(0.22, 0.35)
    end = side - far
    image = Image.new("RGB", (side, side), _shade(paint, 0.85))
    draw = ImageDraw.Draw(image)
    draw.polygon([(near, near), (side, near), (end, far), (far, far)], fill=_shade(paint, 1.1))
    draw.polygon([(near, side), (side, side), (end, end), (far, end)], fill=_shade(rng.integers(60, 180, 3), 1))
    draw.rectangle((far, far, end, end), fill=_shade(paint, 1.0))
    left, width = far + (end - far) * rng.uniform(0.1, 0.4), (end - far) * rng.uniform(0.2, 0.4)
    draw.rectangle((left, far + width * 0.3, left + width, far + width * 1.3), fill=(245, 248, 250))
    draw.line((left + width / 2, far + width * 0.3, left + width / 2, far + width * 1.3), fill=(120, 100, 80), width=3)
    x, size = side * rng.uniform(0.35, 0.65), side * 0.06
    draw.ellipse((x - size, far * 0.3, x + size, far * 0.3 + 2 * size), fill=(255, 244, 200))
    top = side * rng.uniform(0.7, 0.8)
    wood = _shade(rng.integers(70, 150, 3), 1)
    draw.rectangle((side * 0.25, top, side * 0.75, top + side * 0.05), fill=wood)
    for leg in (0.28, 0.7):
        draw.rectangle((side * leg, top, side * (leg + 0.03), side), fill=wood)
    return image


def _shade(colour: np.ndarray, factor: float) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in np.clip(colour * factor, 0, 255))
    return red, green, blue


_DRAW = {"noise": _noise, "plain": _plain, "room": _room}
