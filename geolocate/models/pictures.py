"""Turn the bytes of a picture into the square that an image encoder was made for.

The same function serves caching, training and predicting, so a model never meets another resize than it was
trained with. ``TRANSFORM`` names what is done; change the name with the deed.
"""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from geolocate.errors import PictureError

#: JPEG scaled while decoding, upright by EXIF, shorter side resized (bicubic), middle square cut out.
TRANSFORM = "draft-upright-bicubic-centre"


def picture_pixels(body: bytes, pixels: int) -> np.ndarray:
    """Decode a picture to ``[pixels, pixels, 3]``, 8 bits.

    Raises PictureError for bytes that are no picture, or only the beginning of one.
    """
    try:
        with Image.open(io.BytesIO(body)) as image:
            # The decoder halves a JPEG at almost no cost, never below the size asked for; measured 2 × faster.
            image.draft("RGB", (pixels, pixels))
            square = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (pixels, pixels))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(
            f"a picture of {len(body)} bytes cannot be read ({type(error).__name__}): give a whole JPEG, PNG or WebP"
        ) from error
    return np.asarray(square, dtype=np.uint8)
