"""Collect the shapes of a scene and paint them from far to near.

In: polygons, lines and round blobs in metres with their colours. Out: a painted picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import ImageDraw

from geolocate.emulator.camera import NEAR_M, Point, Viewpoint, clip_to_view

Colour = tuple[float, float, float]

#: A blob is a polygon when it has at least three points, a line when two, a round when one.
_LINE, _ROUND = 2, 1
_BEYOND_HAZE = 1e5


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours; ``share`` of the second."""
    (r, g, b), (to_r, to_g, to_b) = first, second
    return r + (to_r - r) * share, g + (to_g - g) * share, b + (to_b - b) * share


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
    _colours: list[Colour] = field(default_factory=list)
    _items: list[tuple[float, int, int, int, float]] = field(default_factory=list)

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
        self._items.append((-depth, len(self._items), len(self._points), len(points), size))
        self._points.extend(points)
        self._colours.append(colour)

    def paint(self, draw: ImageDraw.ImageDraw) -> None:
        """Paint all shapes, far ones first."""
        if not self._items:
            return
        seen = self.view.to_camera(self._points)
        in_front = seen[:, 2] >= NEAR_M
        whole_inside = in_front & (np.abs(seen[:, :2]).max(axis=1) <= seen[:, 2] * self.view.wide)
        pixels = self.view.to_pixels(np.where(in_front[:, None], seen, 1.0)).ravel().tolist()
        inside, front, ahead = whole_inside.tolist(), in_front.tolist(), seen[:, 2].tolist()
        fills = self._faded()
        for _, index, start, count, size in sorted(self._items):
            end = start + count
            if all(inside[start:end]):
                # A line is as wide as at its far end: one that passes the camera would be a beam.
                width = size * self.view.focal / max(ahead[start:end])
                _paint_one(draw, pixels[2 * start : 2 * end], fills[index], width)
            elif count > _LINE and any(front[start:end]):
                clipped = clip_to_view(seen[start:end], self.view.wide)
                if len(clipped) > _LINE:
                    _paint_one(draw, self.view.to_pixels(clipped).ravel().tolist(), fills[index], 1.0)

    def _faded(self) -> list[tuple[int, ...]]:
        """All colours as bytes, faded to the haze by their depth; what lies beyond the haze has its own colour."""
        depth = -np.array([item[0] for item in self._items])
        kept = np.where(depth < _BEYOND_HAZE, np.exp(-np.minimum(depth, _BEYOND_HAZE) / self.haze_m), 1.0)[:, None]
        colours = np.array(self._colours) * kept + np.array(self.haze) * (1 - kept)
        return [tuple(row) for row in np.round(colours).clip(0, 255).astype(int).tolist()]


def _paint_one(draw: ImageDraw.ImageDraw, at: list[float], fill: tuple[int, ...], size_px: float) -> None:
    """Paint a shape of pixels x, y, x, y …; what it is follows from how many there are."""
    if len(at) == 2 * _ROUND:
        x, y, r = *at, max(0.5, round(size_px * 4) / 4)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif len(at) == 2 * _LINE:
        draw.line(at, fill=fill, width=max(1, round(size_px)))
    else:
        draw.polygon(at, fill=fill)
