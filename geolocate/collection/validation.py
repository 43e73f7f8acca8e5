"""Say why an answer is not the picture that was asked for: a body that decodes is no proof of success.

In: the body of an image answer and the view that was wanted. Out: None, or one reason of the closed list.
"""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from geolocate.records import ImageReason, Picture, View

#: A picture of which so much is one flat colour is no photograph of a street; 0.97 of Google's own grey one is.
_FLAT_SHARE = 0.9
#: Lettering takes more of a small picture; a message on Google's grey is told from there on, by the shorter side.
_GREY_SHARES = ((128, 0.85), (0, 0.6))
#: How far a flat area's pixels lie from its colour, and lettering's at least, in levels of 256.
_FLAT, _INK = 6, 24
#: "Sorry, we have no imagery here." is one line whatever the picture's size; an error message takes more pixel rows.
_ONE_LINE = 24
#: At night the dark is flat without being a message's ground, where so small a share of the picture shines in it.
_NIGHT, _LIGHTS = 48, 0.0005
#: Bits of each channel that make a coarse colour: 16 levels, so that JPEG noise does not split a flat area.
_COARSE_BITS = 4
#: A picture seen at an eighth of its size is looked at again in full beyond this: shrinking blends lettering into its
#: ground, which moves the share by some percent, and a full decode costs four times as much.
_SUSPICIOUS_SHARE = 0.5
#: How small it may become, in pixels a side.
_SMALL_SIDE = 64
#: The grey is one of #E4E3DF, #E3E2DD, #E0DED8.
_GREY = np.array([0xE2, 0xE1, 0xDC])
_GREY_TOLERANCE = 10
_START, _END = b"\xff\xd8", b"\xff\xd9"
#: What the decoder raises on bytes that are no whole picture.
_UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)
#: Asking again can help after these, never after the others.
PASSING = frozenset(
    {
        ImageReason.TRUNCATED,
        ImageReason.EMPTY,
        ImageReason.HTML,
        ImageReason.WRONG_TYPE,
        ImageReason.ERROR_PICTURE,
        ImageReason.REFUSED,
        ImageReason.UNREACHABLE,
        ImageReason.OVER_BUDGET,
        ImageReason.OVER_QUOTA,
    }
)


def why_not(picture: Picture, view: View) -> ImageReason | None:
    """Return why the answer is no picture of the view, or None when it is one."""
    return _from_answer(picture) or _from_pixels(picture.body, view)


def _from_answer(picture: Picture) -> ImageReason | None:
    """Judge by status, type and first bytes."""
    if picture.http_status in (404, 410):
        return ImageReason.NOT_FOUND
    if picture.http_status != 200:
        return ImageReason.UNREACHABLE
    if not picture.body:
        return ImageReason.EMPTY
    if picture.content_type == "text/html" or picture.body.lstrip()[:1] == b"<":
        return ImageReason.HTML
    if picture.content_type != "image/jpeg" or not picture.body.startswith(_START):
        return ImageReason.WRONG_TYPE
    # A thumbnail in the header ends with the same two bytes, hence: in the second half.
    return ImageReason.TRUNCATED if picture.body.rfind(_END) < len(picture.body) // 2 else None


def _from_pixels(body: bytes, view: View) -> ImageReason | None:
    """Decode it to the last byte, and look at what it shows."""
    try:
        with _opened(body) as image:
            if image.size != (view.width, view.height):
                return ImageReason.WRONG_SIZE
            # Every byte goes through the entropy decoder as in a full decode, at a quarter of the cost: only the
            # cosine transform is done at an eighth of the size.
            image.draft("RGB", (_SMALL_SIDE, _SMALL_SIDE))
            share, _ = commonest_colour(np.asarray(_rgb(image)), every=1)
        if share <= _SUSPICIOUS_SHARE and min(view.width, view.height) >= 2 * _SMALL_SIDE:
            return None
        with _opened(body) as image:
            pixels = np.asarray(_rgb(image))
    except _UNREADABLE:
        return ImageReason.TRUNCATED
    return _from_flatness(pixels)


def _from_flatness(pixels: np.ndarray) -> ImageReason | None:
    """Tell a message on a flat ground from a photograph, which has texture, in fog and at night too."""
    _, ground = commonest_colour(pixels)
    apart = np.abs(pixels - ground).max(axis=2)
    flat, ink = float((apart <= _FLAT).mean()), apart > _INK
    if np.abs(ground - _GREY).max() <= _GREY_TOLERANCE:
        needed = next(share for side, share in _GREY_SHARES if min(pixels.shape[:2]) >= side)
        if flat < needed:
            return None
        return ImageReason.GREY_PICTURE if ink.any(axis=1).sum() <= _ONE_LINE else ImageReason.ERROR_PICTURE
    is_night = ground.max() < _NIGHT and ink.mean() > _LIGHTS
    return ImageReason.ERROR_PICTURE if flat >= _FLAT_SHARE and not is_night else None


def _opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body), formats=("JPEG",))


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def commonest_colour(pixels: np.ndarray, every: int = 3) -> tuple[float, np.ndarray]:
    """Return the share of the most common coarse colour of (height, width, 3) pixels, and its mean colour.

    Every third pixel of every third row is enough, and nine times as fast.
    """
    sample = pixels[::every, ::every].reshape(-1, 3)
    shift = 8 - _COARSE_BITS
    coarse = (sample >> shift).astype(np.uint16)
    codes = (coarse[:, 0] << (2 * _COARSE_BITS)) | (coarse[:, 1] << _COARSE_BITS) | coarse[:, 2]
    counts = np.bincount(codes)
    commonest = int(counts.argmax())
    return float(counts[commonest] / len(codes)), sample[codes == commonest].mean(axis=0)
