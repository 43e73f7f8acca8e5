"""From the features of a panorama's views to a probability for each class."""

from collections.abc import Sequence

import numpy as np
import torch

from geolocate.models.batch import Views, padded_views
from geolocate.models.clip import Clip

#: So many places at a time: one with many views must not pad a whole test set.
_AT_ONCE = 1024


@torch.inference_mode()
def class_posterior(
    clip: Clip,
    image_features: torch.Tensor | Sequence[torch.Tensor],
    text_features: torch.Tensor,
    azimuths: Sequence[torch.Tensor] | None = None,
) -> np.ndarray:
    """Give the probability of each class for each panorama, ``[P, C]``, rows summing to 1.

    ``image_features`` is ``[P, V, D]``, or a list of ``[V, D]`` where panoramas differ in their number of views;
    ``azimuths`` is a list of ``[V]`` degrees clockwise from true north, north for all where it is left out;
    ``text_features`` is ``[C, T]``, the encoded captions.
    """
    clip.eval()
    device = clip.log_scale.device
    texts = clip.embed_texts(text_features.to(device).float())
    places = [torch.as_tensor(panorama).float() for panorama in image_features]
    azimuths = azimuths if azimuths is not None else [torch.zeros(len(place)) for place in places]
    logits = [
        clip.scale * clip.embed_places(_views(places, azimuths, start).to(device)) @ texts.T
        for start in range(0, len(places), _AT_ONCE)
    ]
    if not logits:
        return np.empty((0, len(text_features)))
    # Double precision, so that the rows sum to 1 for whoever checks it.
    posterior: np.ndarray = torch.cat(logits).double().softmax(dim=-1).cpu().numpy()
    return posterior


def _views(places: Sequence[torch.Tensor], azimuths: Sequence[torch.Tensor], start: int) -> Views:
    return padded_views(places[start : start + _AT_ONCE], azimuths[start : start + _AT_ONCE])
