"""Make the pictures that were contributed to open services: flat ones and whole 360° ones, in any width.

In: a contribution and a width in pixels. Out: JPEG bytes; the same contribution and width give the same bytes.
"""

import asyncio
import io

from PIL import Image

from geolocate.emulator.cache import PictureCache
from geolocate.emulator.camera import Camera
from geolocate.emulator.contributors import Contribution
from geolocate.emulator.spheres import cameras_around, sphere_of
from geolocate.emulator.studio import Studio

_QUALITY = 75
#: Flat scenes are drawn so wide and scaled: they hold no finer detail.
_DRAWN = 640


class ContributedPictures:
    """Draws by the studio, and keeps what was finished last."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._finished = PictureCache()

    async def taken(self, one: Contribution, width: int) -> bytes:
        """Return the picture, ``width`` pixels wide."""
        key = (one.id_bytes, one.panorama.pano_id, width)
        if (body := self._finished.get(key)) is None:
            make = self._sphere if one.whole else self._flat
            body = await make(one, width)
            self._finished.put(key, body)
        return body

    async def _sphere(self, one: Contribution, width: int) -> bytes:
        drawn = [self._studio.photograph(one.panorama, camera) for camera in cameras_around(one.azimuth)]
        views = await asyncio.gather(*drawn)
        return await asyncio.to_thread(lambda: _jpeg(sphere_of([_opened(view) for view in views], width)))

    async def _flat(self, one: Contribution, width: int) -> bytes:
        height = int(one.lens.height * width / one.lens.width)
        drawn_height = round(_DRAWN * one.lens.height / one.lens.width)
        camera = Camera(one.azimuth, 0.0, one.lens.fov, _DRAWN, drawn_height)
        view = await self._studio.photograph(one.panorama, camera)
        return await asyncio.to_thread(lambda: _jpeg(_opened(view).resize((width, height), Image.Resampling.BICUBIC)))


def _opened(body: bytes) -> Image.Image:
    with Image.open(io.BytesIO(body)) as image:
        return image.convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
