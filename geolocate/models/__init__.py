"""Encoders by name, the heads that join them, and what is read off them."""

from geolocate.models.batch import PlaceBatch, Views, padded_views
from geolocate.models.clip import Clip, ClipConfig
from geolocate.models.encoders import image_encoder, text_encoder
from geolocate.models.features import image_features
from geolocate.models.fusion import FUSIONS
from geolocate.models.geolocator import Geolocator, ModelConfig
from geolocate.models.losses import LOSSES
from geolocate.models.posterior import class_posterior, place_posterior

__all__ = [
    "FUSIONS",
    "LOSSES",
    "Clip",
    "ClipConfig",
    "Geolocator",
    "ModelConfig",
    "PlaceBatch",
    "Views",
    "class_posterior",
    "image_encoder",
    "image_features",
    "padded_views",
    "place_posterior",
    "text_encoder",
]
