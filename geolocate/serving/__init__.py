"""Use a trained model."""

from geolocate.serving.predictor import Photo, Prediction, Predictor, load_predictor, read_photo

__all__ = ["Photo", "Prediction", "Predictor", "load_predictor", "read_photo"]
