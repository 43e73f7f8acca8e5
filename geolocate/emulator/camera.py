"""Project a scene in metres onto a picture in pixels.

In: points in the road's frame: x to the right of the road's middle, y along it, z up from the ground. Out: pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = tuple[float, float, float]

#: What is nearer than this is cut away, in metres.
NEAR_M = 0.4
#: The camera's mast on the roof of the car.
CAMERA_HEIGHT_M = 2.6
#: How far outside the picture a shape may reach, in pixels, before it is cut.
_MARGIN_PX = 1500.0


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera looks, in degrees, and how large the picture is in pixels."""

    heading: float
    pitch: float
    fov: float
    width: int
    height: int


@dataclass(frozen=True)
class Viewpoint:
    """A camera standing in a scene: ``yaw`` radians to the right of the road's direction, at ``x`` across it."""

    camera: Camera
    yaw: float
    x: float

    @cached_property
    def turn(self) -> tuple[float, float]:
        """The yaw's cosine and sine, rounded: machines differ in the last digits."""
        return round(math.cos(self.yaw), 12), round(math.sin(self.yaw), 12)

    @cached_property
    def focal(self) -> float:
        """The focal length in pixels."""
        return round(self.camera.width / 2 / math.tan(math.radians(self.camera.fov) / 2), 9)

    @cached_property
    def wide(self) -> float:
        """How far to the side, in depths, shapes are kept."""
        return _MARGIN_PX / self.focal

    @cached_property
    def horizon(self) -> float:
        """The horizon's row in pixels; it may lie outside the picture."""
        pitch = math.radians(min(max(self.camera.pitch, -89.0), 89.0))
        return self.camera.height / 2 + self.focal * math.tan(pitch)

    def distance(self, x: float, y: float) -> float:
        """Metres on the ground from the camera."""
        return math.hypot(x - self.x, y)

    def sees(self, x: float, y: float, radius: float) -> bool:
        """Whether something of this size could be in the picture."""
        right, ahead = x - self.x, y
        cos, sin = self.turn
        side, depth = right * cos - ahead * sin, right * sin + ahead * cos
        slope = self.camera.width / 2 / self.focal
        steep = abs(self.camera.pitch) > 35
        return steep or (depth > -radius and abs(side) - radius * math.hypot(1, slope) < max(depth, 0) * slope)

    def to_camera(self, points: Sequence[Point] | Floats) -> Floats:
        """Turn points (N, 3) into right, up and ahead of the camera (N, 3)."""
        x, y, z = (np.asarray(points, dtype=np.float64).reshape(-1, 3) - (self.x, 0, CAMERA_HEIGHT_M)).T
        cos, sin = self.turn
        side, level = x * cos - y * sin, x * sin + y * cos
        pitch = math.radians(self.camera.pitch)
        ahead = level * math.cos(pitch) + z * math.sin(pitch)
        up = z * math.cos(pitch) - level * math.sin(pitch)
        return np.column_stack([side, up, ahead])

    def to_pixels(self, seen: Floats) -> Floats:
        """Turn points in front of the camera (N, 3) into columns and rows (N, 2), whole quarters of pixels."""
        scale = self.focal / seen[:, 2]
        pixels = np.column_stack(
            [self.camera.width / 2 + seen[:, 0] * scale, self.camera.height / 2 - seen[:, 1] * scale]
        )
        return np.asarray(np.round(pixels * 4) / 4)


def clip_to_view(seen: Floats, wide: float) -> Floats:
    """Cut a polygon (N, 3) to what lies ahead and within ``wide`` times its depth to every side; may leave nothing."""
    # Plain numbers: polygons have few corners, and NumPy takes longer to begin than to finish.
    corners: list[Point] = [(side, up, ahead) for side, up, ahead in seen.tolist()]
    sides = ((1, 0, wide, 0.0), (-1, 0, wide, 0.0), (0, 1, wide, 0.0), (0, -1, wide, 0.0))
    for across, upward, depth, least in ((0, 0, 1.0, NEAR_M), *sides):
        inside = [across * side + upward * up + depth * ahead - least for side, up, ahead in corners]
        if inside and min(inside) < 0:
            corners = _cut(corners, inside)
    return np.array(corners, dtype=np.float64).reshape(-1, 3)


def _cut(corners: list[Point], inside: list[float]) -> list[Point]:
    """Keep the part of a polygon where ``inside``, one a corner, is not negative."""
    kept: list[Point] = []
    for index, corner in enumerate(corners):
        before, here = inside[index - 1], inside[index]
        if (before >= 0) != (here >= 0):
            share, (side, up, ahead) = before / (before - here), corners[index - 1]
            kept.append(
                (side + share * (corner[0] - side), up + share * (corner[1] - up), ahead + share * (corner[2] - ahead))
            )
        if here >= 0:
            kept.append(corner)
    return kept
