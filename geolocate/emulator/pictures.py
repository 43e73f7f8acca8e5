"""The pictures that are no scenes: the grey one without imagery, the one of an error message, the dummy.

In: a size. Out: JPEG bytes.
"""

import io
import math
from functools import lru_cache
from hashlib import blake2b

from PIL import Image, ImageDraw

#: The colour of 97 % of the pixels of Google's own picture without imagery.
GREY = (0xE4, 0xE3, 0xDF)
_INK = (0x75, 0x75, 0x73)
#: A scene's file has room for so many bytes a pixel, in whole steps; scenes of 320 × 320 take 0.15 to 0.35.
_ROOM_PER_PIXEL, _ROOM_STEP = 0.38, 4096
#: A comment's marker and length, and the most bytes that it can have with them.
_COMMENT_HEAD, _COMMENT_MOST = 4, 65_000


def jpeg_bytes(image: Image.Image, quality: int = 88) -> bytes:
    """Encode a picture; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def scene_bytes(image: Image.Image) -> bytes:
    """Encode a scene so that all scenes of a size have the same number of bytes.

    Foliage and brick compress worse than sky, so that the size of a file would tell a town from a moor. Room is
    filled with comments behind the file's header, as any reader skips them. Twice the room is for what needs it:
    no scene of a usual size was seen to.
    """
    body = jpeg_bytes(image)
    room = _ROOM_STEP * math.ceil(_ROOM_PER_PIXEL * image.width * image.height / _ROOM_STEP + 1)
    wanted = room * math.ceil((len(body) + _COMMENT_HEAD) / room)
    return body[:2] + _comments(wanted - len(body)) + body[2:]


def _comments(length: int) -> bytes:
    """JPEG comments that fill ``length`` bytes, at least 4; a comment holds up to 65,533."""
    parts = math.ceil(length / _COMMENT_MOST)
    lengths = [length // parts + (part < length % parts) for part in range(parts)]
    filler = b"emulated world, no photograph " * (_COMMENT_MOST // 30 + 1)
    return b"".join(b"\xff\xfe" + (each - 2).to_bytes(2, "big") + filler[: each - _COMMENT_HEAD] for each in lengths)


def dummy_picture(what: str, width: int, height: int) -> bytes:
    """Answer at once, without drawing: patches of colour under the word DUMMY, alike for all but for a comment.

    The comment holds a hash of ``what`` is asked for, so that each picture has bytes of its own.
    """
    body = _dummy(width, height)
    comment = (
        b"dummy picture, no photograph and no scene " + blake2b(what.encode(), digest_size=16).hexdigest().encode()
    )
    return body[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + body[2:]


@lru_cache(maxsize=16)
def _dummy(width: int, height: int) -> bytes:
    """Sixteen patches in a row and column of colours, so that no colour fills the picture."""
    levels = range(16, 256, 64)
    patches = Image.new("RGB", (4, 4))
    patches.putdata([(red, green, 128) for green in levels for red in levels])
    image = patches.resize((width, height), Image.Resampling.NEAREST)
    ImageDraw.Draw(image).text((width / 2, height / 2), "DUMMY", fill="white", anchor="mm")
    return jpeg_bytes(image)


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
