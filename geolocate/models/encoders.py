"""The encoders by name: ``image_encoder(name)`` and ``text_encoder(name)``."""

from geolocate.models.image_encoders import IMAGE_ENCODERS, ImageEncoder, best_device, image_encoder
from geolocate.models.text_encoders import TEXT_ENCODERS, TextEncoder, text_encoder

__all__ = [
    "IMAGE_ENCODERS",
    "TEXT_ENCODERS",
    "ImageEncoder",
    "TextEncoder",
    "best_device",
    "image_encoder",
    "text_encoder",
]
