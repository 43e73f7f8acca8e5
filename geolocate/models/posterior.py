"""From the features of a panorama's views to a probability for each class, or each geocell."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from geolocate.errors import CheckpointError
from geolocate.models.batch import Views, padded_views
from geolocate.models.clip import Clip
from geolocate.models.geolocator import Classes, Geolocator

Features = torch.Tensor | Sequence[torch.Tensor]
Azimuths = Sequence[torch.Tensor]

#: So many places at a time: one with many views must not pad a whole test set.
_AT_ONCE = 1024


@torch.inference_mode()
def class_posterior(
    clip: Clip, image_features: Features, text_features: torch.Tensor, azimuths: Azimuths | None = None
) -> np.ndarray:
    """Give the probability that captions alone give each class for each panorama, ``[P, C]``, rows summing to 1.

    ``image_features`` is ``[P, V, D]``, or a list of ``[V, D]`` where panoramas differ in their number of views;
    ``azimuths`` is a list of ``[V]`` degrees clockwise from true north, north for all where it is left out;
    ``text_features`` is ``[C, T]``, the encoded captions.
    """
    clip.eval()
    device = clip.log_scale.device
    texts = clip.embed_texts(text_features.to(device).float())
    # Double precision, so that the rows sum to 1 for whoever checks it.
    posterior = _by_portions(
        lambda views: (clip.scale * clip.embed_places(views) @ texts.T).double().softmax(dim=-1),
        (image_features, azimuths),
        device,
    )
    return posterior if len(posterior) else np.empty((0, len(text_features)))


@torch.inference_mode()
def place_posterior(
    model: Geolocator, image_features: Features, classes: Classes, azimuths: Azimuths | None = None
) -> np.ndarray:
    """Give the probability of each class by all heads together, as ``class_posterior`` does by captions alone."""
    if model.cells is None and model.gps is None:
        return class_posterior(model.clip, image_features, classes.captions, azimuths)
    device = model.eval().clip.log_scale.device
    there = Classes(classes.captions.to(device).float(), classes.lat.to(device), classes.lon.to(device))
    posterior = _by_portions(lambda views: model.posterior(views, there), (image_features, azimuths), device)
    return posterior if len(posterior) else np.empty((0, len(classes.lat)))


@torch.inference_mode()
def cell_candidates(
    model: Geolocator, image_features: Features, azimuths: Azimuths | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each panorama's posterior over the n finest geocells, and the latitude and longitude in each, ``[P, n]``.

    A decoder takes them in place of classes. Raises CheckpointError for a model without the head.
    """
    if model.cells is None:
        raise CheckpointError("this model has no head of geocells: train one with --set cells=1")

    def answer(views: Views) -> torch.Tensor:
        found = model.cell_answer(views)
        return torch.stack([found.posterior, found.lat, found.lon], dim=1) if found else torch.empty(0)

    found = _by_portions(answer, (image_features, azimuths), model.eval().clip.log_scale.device)
    found = found if len(found) else np.empty((0, 3, len(model.cells.centre)))
    return found[:, 0], found[:, 1], found[:, 2]


def _by_portions(
    answer: Callable[[Views], torch.Tensor], panoramas: tuple[Features, Azimuths | None], device: torch.device
) -> np.ndarray:
    """Ask a model about all panoramas, a portion at a time; views without azimuths look north."""
    places = [torch.as_tensor(panorama).float() for panorama in panoramas[0]]
    azimuths = panoramas[1] if panoramas[1] is not None else [torch.zeros(len(place)) for place in places]
    found = [
        answer(_views(places, azimuths, start).to(device)).double().cpu() for start in range(0, len(places), _AT_ONCE)
    ]
    return np.empty(0) if not found else torch.cat(found).numpy()


def _views(places: Sequence[torch.Tensor], azimuths: Azimuths, start: int) -> Views:
    return padded_views(places[start : start + _AT_ONCE], azimuths[start : start + _AT_ONCE])
