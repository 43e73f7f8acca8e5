"""The pictures that are no photographs: the grey one without imagery, and the one of an error message.

In: a size. Out: JPEG bytes.
"""

import io
from functools import lru_cache

from PIL import Image, ImageDraw

#: The colour of 97 % of the pixels of Google's own picture without imagery.
GREY = (0xE4, 0xE3, 0xDF)
_INK = (0x75, 0x75, 0x73)


def jpeg_bytes(image: Image.Image, quality: int = 88) -> bytes:
    """Encode a picture; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


@lru_cache(maxsize=64)
def grey_picture(width: int, height: int) -> bytes:
    """Draw the answer to a request where there is no imagery."""
    return _message(width, height, "Sorry, we have no imagery here.")


@lru_cache(maxsize=64)
def error_picture(width: int, height: int) -> bytes:
    """Draw an error message that comes with status 200, as over-used keys get it."""
    text = "The Google Maps Platform server\nrejected your request. You have\nexceeded your daily request quota."
    return _message(width, height, text)


def _message(width: int, height: int, text: str) -> bytes:
    image = Image.new("RGB", (width, height), GREY)
    draw = ImageDraw.Draw(image)
    draw.multiline_text((width / 2, height / 2), text, fill=_INK, anchor="mm", align="center")
    return jpeg_bytes(image)
