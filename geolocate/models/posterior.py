"""From the features of a panorama's views to a probability for each class."""

from collections.abc import Sequence

import numpy as np
import torch

from geolocate.models.clip import Clip


@torch.inference_mode()
def class_posterior(
    clip: Clip, image_features: torch.Tensor | Sequence[torch.Tensor], text_features: torch.Tensor
) -> np.ndarray:
    """Give the probability of each class for each panorama, ``[P, C]``, rows summing to 1.

    ``image_features`` is ``[P, V, D]``, or a list of ``[V, D]`` where panoramas differ in their number of views;
    ``text_features`` is ``[C, T]``, the encoded captions. A panorama's embedding is the mean of its views' (each
    normalised, for a model trained so): the classes' logits are averaged, so views that disagree make it unsure.
    """
    clip.eval()
    device = clip.log_scale.device
    views = [torch.as_tensor(panorama) for panorama in image_features]
    if not views:
        return np.empty((0, len(text_features)))
    embedded = clip.embed_images(torch.cat(views).to(device).float())
    sizes = [len(panorama) for panorama in views]
    fused = torch.stack([part.mean(dim=0) for part in torch.split(embedded, sizes)])
    logits = clip.scale * fused @ clip.embed_texts(text_features.to(device).float()).T
    # Double precision, so that the rows sum to 1 for whoever checks it.
    posterior: np.ndarray = logits.double().softmax(dim=-1).cpu().numpy()
    return posterior
