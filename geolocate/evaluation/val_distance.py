"""What training may know of its progress: the distance on val ground, decoded as the evaluation will decode it.

Training does not import the evaluation; it is handed this as a callable.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from geolocate.dataset.versions import DatasetVersion
from geolocate.evaluation.decoding import DECODERS, DEFAULT_DECODER
from geolocate.geography.distances import haversine_km
from geolocate.training.samples import trained_classes


def val_distance(dataset: DatasetVersion) -> Callable[[np.ndarray, pd.DataFrame], Mapping[str, float]]:
    """Return what gives ``val_mean_km`` of a posterior (P, C) over the val panoramas (P rows with lat, lon)."""
    classes = trained_classes(dataset)
    decode = DECODERS[DEFAULT_DECODER]

    def figures(posterior: np.ndarray, panoramas: pd.DataFrame) -> Mapping[str, float]:
        lat, lon = decode(posterior, classes["lat"].to_numpy(float), classes["lon"].to_numpy(float))
        km = haversine_km(panoramas["lat"].to_numpy(float), panoramas["lon"].to_numpy(float), lat, lon)
        return {"val_mean_km": float(km.mean())}

    return figures
