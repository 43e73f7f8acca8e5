"""Cut a view out of a 360° picture, as a camera standing in its middle would have taken it.

In: an equirectangular picture of the whole sphere (twice as wide as high), where its middle looks to, and a view.
Out: a perspective picture with square pixels. Not corrected: a camera that stood askew (pose pitch and roll).
"""

import math

import numpy as np
from PIL import Image

from geolocate.records import View

#: Of a finer picture than this many of its pixels a pixel of the view, pixels are averaged first, against aliasing.
_FINEST = 2.0


def cut_view(equirect: Image.Image, view: View, heading_deg: float) -> Image.Image:
    """Return the view, RGB, ``view.width`` by ``view.height`` pixels; its ``fov`` is horizontal, in degrees.

    ``heading_deg`` is where the middle of the picture looks to, degrees clockwise from true north.
    """
    # Loads scipy: only who cuts views waits for it.
    from py360convert import e2p

    half_width = math.tan(math.radians(view.fov) / 2)
    shrink = equirect.width // width_for(view)
    picture = np.asarray(equirect.convert("RGB").reduce(max(1, shrink)))
    turn = (view.heading - heading_deg + 180) % 360 - 180
    fov = _between_centres(half_width, view.width), _between_centres(half_width * view.height / view.width, view.height)
    return Image.fromarray(e2p(picture, fov, turn, view.pitch, (view.height, view.width)))


def width_for(view: View) -> int:
    """Return how many pixels wide a 360° picture need be for this view; more are averaged."""
    per_degree = view.width / (2 * math.tan(math.radians(view.fov) / 2)) * math.pi / 180
    return math.ceil(_FINEST * 360 * per_degree)


def _between_centres(half_side: float, pixels: int) -> float:
    """Return the angle in degrees between the centres of the outermost pixels, which is what the library asks for.

    ``half_side`` is half of the picture's side at distance 1 from the camera.
    """
    return 2 * math.degrees(math.atan(half_side * (pixels - 1) / pixels))
