"""Cut views from 360° pictures that a provider sends whole: each is fetched once for all its views.

In: a panorama with its azimuth, and a view. Out: the view as a JPEG.
"""

import asyncio
import io
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from PIL import Image, UnidentifiedImageError

from geolocate.errors import ProviderError
from geolocate.providers.equirectangular import cut_view
from geolocate.providers.protocol import UnreachableError
from geolocate.records import Panorama, Picture, View

#: 360° pictures that are kept in memory while their views are asked for: some 0.5 MB each.
_KEPT = 128
_QUALITY = 90
#: Sides may be rounded by so many pixels.
_ROUNDING = 2


class Spheres:
    """The 360° pictures asked for last; ``fetch`` gets one from the provider."""

    def __init__(self, fetch: Callable[[Panorama], Awaitable[Picture]]) -> None:
        self._fetch = fetch
        self._under_way: OrderedDict[str, asyncio.Task[Picture]] = OrderedDict()

    async def cut(self, panorama: Panorama, view: View) -> Picture:
        """Return one view; an answer that is no picture goes on as it is. Raises what ``fetch`` raises.

        Raises UnreachableError for a picture that does not decode: it may have been cut off on its way.
        """
        whole = await self._whole(panorama)
        if whole.http_status != 200 or not whole.content_type.startswith("image/"):
            return whole
        try:
            body = await asyncio.to_thread(_cut, whole.body, view, panorama.azimuth or 0.0)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            self._under_way.pop(panorama.source_id, None)
            raise UnreachableError(
                f"the 360° picture {panorama.source_id} does not decode ({type(error).__name__})", billable=False
            ) from None
        # What does not show all round goes on whole, and is told by its size to be no picture of the view.
        return Picture(body, "image/jpeg", 200) if body else whole

    async def close(self) -> None:
        """Give up what nobody waits for any more."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _whole(self, panorama: Panorama) -> Picture:
        """Wait for the picture, whoever asked for it first; one that could not be had is asked for again."""
        key = panorama.source_id
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(_start(self._fetch(panorama)))
            self._make_room()
        self._under_way.move_to_end(key)
        try:
            whole = await asyncio.shield(task)
        except ProviderError:
            self._drop(key, task)
            raise
        if whole.http_status != 200:
            self._drop(key, task)
        return whole

    def _drop(self, key: str, task: asyncio.Task[Picture]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]

    def _make_room(self) -> None:
        done = [key for key, task in self._under_way.items() if task.done()]
        for key in done[: max(0, len(self._under_way) - _KEPT)]:
            del self._under_way[key]


async def _start(coming: Awaitable[Picture]) -> Picture:
    return await coming


def _cut(body: bytes, view: View, azimuth: float) -> bytes | None:
    """Cut one view; None for a picture that is not twice as wide as high: it is no whole sphere, whatever was said."""
    with Image.open(io.BytesIO(body)) as opened:
        if abs(opened.width - 2 * opened.height) > _ROUNDING:
            return None
        picture = cut_view(opened.convert("RGB"), view, azimuth)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
