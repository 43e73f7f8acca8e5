"""Views cut from 360° pictures, and questions asked together."""

import asyncio
import io

from PIL import Image

from geolocate.collection.validation import why_not
from geolocate.providers.batches import Batches
from geolocate.providers.spheres import Spheres
from geolocate.records import ImageReason, Panorama, Picture, Rights, View, World

RIGHTS = Rights("CC-BY-SA-4.0", "A", "open-licence", World.REAL, "1")
VIEW = View(90.0, width=64, height=64)


def cut_from(width: int, height: int) -> Picture:
    body = io.BytesIO()
    Image.effect_noise((width, height), 80).convert("RGB").save(body, "JPEG")

    async def fetch(_: Panorama) -> Picture:
        return Picture(body.getvalue(), "image/jpeg", 200)

    async def run() -> Picture:
        spheres = Spheres(fetch)
        try:
            return await spheres.cut(Panorama("mapillary", "1", 51.5, -0.1, "2021", RIGHTS), VIEW)
        finally:
            await spheres.close()

    return asyncio.run(run())


def test_a_whole_sphere_gives_the_view():
    assert why_not(cut_from(1024, 512), VIEW) is None


def test_what_does_not_show_all_round_is_no_picture_of_the_view():
    assert why_not(cut_from(2048, 256), VIEW) is ImageReason.WRONG_SIZE


def test_no_question_is_for_more_than_fifty():
    sizes = []

    async def ask(ids: list[str]) -> dict[str, dict[str, str]]:
        sizes.append(len(ids))
        return {one: {"id": one} for one in ids}

    async def run() -> list[dict[str, str] | None]:
        batches = Batches(ask)
        answers = await asyncio.gather(*[batches.about(str(number)) for number in range(256)])
        await batches.close()
        return answers

    assert [answer["id"] for answer in asyncio.run(run())] == [str(number) for number in range(256)]
    assert sum(sizes) == 256
    assert max(sizes) <= 50
