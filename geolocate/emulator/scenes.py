"""Draw a street scene.

In: surroundings, a camera and a nuisance seed; never a coordinate, a name or an id. Out: JPEG bytes.
"""

from dataclasses import dataclass

from PIL import Image

from geolocate.emulator.pictures import jpeg_bytes
from geolocate.emulator.world import Surroundings


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera looks, in degrees, and how large the picture is in pixels."""

    heading: float
    pitch: float
    fov: float
    width: int
    height: int


def draw_scene(surroundings: Surroundings, camera: Camera, nuisance: int) -> bytes:
    """Draw what the camera sees; the same arguments give the same bytes."""
    image = Image.new("RGB", (camera.width, camera.height), (120, 140, 180))
    return jpeg_bytes(image)
