"""Encoders by name, the heads that join them, and what is read off them."""

from geolocate.models.clip import Clip, ClipConfig
from geolocate.models.encoders import image_encoder, text_encoder
from geolocate.models.features import image_features
from geolocate.models.losses import LOSSES
from geolocate.models.posterior import class_posterior

__all__ = ["LOSSES", "Clip", "ClipConfig", "class_posterior", "image_encoder", "image_features", "text_encoder"]
