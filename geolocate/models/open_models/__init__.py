"""Open models, clipped to a region: OpenAI CLIP, StreetCLIP, GeoCLIP, each with its own processor and licence."""

from geolocate.models.open_models.catalogue import OPEN_MODELS, OpenModel, Weights, open_model, weights_absent
from geolocate.models.open_models.clipped import Clipped, clip_to_region, fused

__all__ = ["OPEN_MODELS", "Clipped", "OpenModel", "Weights", "clip_to_region", "fused", "open_model", "weights_absent"]
