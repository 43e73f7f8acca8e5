"""Collect the shapes of a scene and paint them from far to near.

In: polygons, lines and round blobs in metres with their colours. Out: a painted picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import ImageDraw

from geolocate.emulator.camera import NEAR_M, Floats, Point, Viewpoint, clip_near

Colour = tuple[float, float, float]

#: A blob is a polygon when it has at least three points, a line when two, a round when one.
_LINE, _ROUND = 2, 1


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours; ``share`` of the second."""
    return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))  # type: ignore[return-value]


def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour lighter or darker."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def whole(colour: Colour) -> tuple[int, int, int]:
    """Round a colour to bytes."""
    return tuple(min(255, max(0, round(value))) for value in colour)  # type: ignore[return-value]


@dataclass(slots=True)
class Shapes:
    """What is to be painted; ``haze`` is the colour that distance fades to, over ``haze_m`` metres."""

    view: Viewpoint
    haze: Colour
    haze_m: float
    _points: list[Point] = field(default_factory=list)
    _items: list[tuple[float, int, int, int, Colour, float]] = field(default_factory=list)

    def polygon(self, points: Sequence[Point], colour: Colour, depth: float) -> None:
        """Add a flat shape; those with a larger depth (metres) are painted first, equals in the order added."""
        self._add(points, colour, depth, 0.0)

    def line(self, start: Point, end: Point, colour: Colour, depth: float, metres: float) -> None:
        """Add a line of a width in metres, at least one pixel."""
        self._add((start, end), colour, depth, metres)

    def blob(self, centre: Point, radius: float, colour: Colour, depth: float) -> None:
        """Add a round shape of a radius in metres."""
        self._add((centre,), colour, depth, radius)

    def _add(self, points: Sequence[Point], colour: Colour, depth: float, size: float) -> None:
        faded = blend(colour, self.haze, 1 - math.exp(-depth / self.haze_m)) if depth < 1e5 else colour
        self._items.append((-depth, len(self._items), len(self._points), len(points), faded, size))
        self._points.extend(points)

    def paint(self, draw: ImageDraw.ImageDraw) -> None:
        """Paint all shapes, far ones first."""
        if not self._items:
            return
        seen = self.view.to_camera(self._points)
        in_front = seen[:, 2] >= NEAR_M
        pixels = self.view.to_pixels(np.where(in_front[:, None], seen, 1.0))
        flat = pixels.tolist()
        front = in_front.tolist()
        for _, _, start, count, colour, size in sorted(self._items):
            here = front[start : start + count]
            if all(here):
                depth = float(seen[start, 2]) if count <= _LINE else 1.0
                self._paint_one(draw, flat[start : start + count], colour, size * self.view.focal / depth)
            elif count > _LINE and any(here):
                self._paint_clipped(draw, seen[start : start + count], colour)

    def _paint_one(self, draw: ImageDraw.ImageDraw, at: list[list[float]], colour: Colour, size_px: float) -> None:
        fill = whole(colour)
        if len(at) == _ROUND:
            (x, y), r = at[0], max(0.5, round(size_px * 4) / 4)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        elif len(at) == _LINE:
            draw.line([tuple(p) for p in at], fill=fill, width=max(1, round(size_px)))
        else:
            draw.polygon([tuple(p) for p in at], fill=fill)

    def _paint_clipped(self, draw: ImageDraw.ImageDraw, seen: Floats, colour: Colour) -> None:
        clipped = clip_near(seen)
        if len(clipped) > _LINE:
            self._paint_one(draw, self.view.to_pixels(clipped).tolist(), colour, 1.0)
