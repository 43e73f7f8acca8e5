"""Use a trained model."""

from geolocate.serving.predictor import (
    Photo,
    Prediction,
    Predictor,
    load_predictor,
    read_photo,
    with_headings,
    write_search_areas,
)

__all__ = ["Photo", "Prediction", "Predictor", "load_predictor", "read_photo", "with_headings", "write_search_areas"]
