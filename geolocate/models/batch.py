"""A batch of places: the views of each, and what is known of where it is.

In: views that differ in number from place to place. Out: rectangular tensors with a mask. What is padding is never
seen: every part of a model that takes a batch heeds the mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from geolocate.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Views:
    """V views at most of each of B places.

    ``features`` is ``[B, V, D]``; ``mask`` is ``[B, V]``, True where there is a view; ``azimuth`` is ``[B, V]``,
    degrees clockwise from true north.
    """

    features: torch.Tensor
    mask: torch.Tensor
    azimuth: torch.Tensor

    def __len__(self) -> int:
        return len(self.features)

    def to(self, device: torch.device) -> "Views":
        """The same on another device."""
        return Views(self.features.to(device), self.mask.to(device), self.azimuth.to(device))


@dataclass(frozen=True, slots=True)
class PlaceBatch:
    """B places with their truth: what a loss may ask for.

    ``lat, lon`` are ``[B]`` degrees in double precision; ``classes`` is ``[B]``, a class number or -1; ``cells`` is
    ``[B, L]``, the number of the place's cell at each level of the hierarchy, coarse to fine; L may be 0.
    """

    views: Views
    lat: torch.Tensor
    lon: torch.Tensor
    classes: torch.Tensor
    cells: torch.Tensor

    def __len__(self) -> int:
        return len(self.views)

    def to(self, device: torch.device) -> "PlaceBatch":
        """The same on another device."""
        others = (self.lat, self.lon, self.classes, self.cells)
        return PlaceBatch(self.views.to(device), *(tensor.to(device) for tensor in others))


def padded_views(features: Sequence[torch.Tensor], azimuths: Sequence[torch.Tensor]) -> Views:
    """Put places with ``[V_i, D]`` views each into one batch, with their azimuths ``[V_i]``.

    Raises DatasetError for a place without a view, and for azimuths that do not match the views.
    """
    sizes = [len(place) for place in features]
    if not sizes or min(sizes) == 0:
        raise DatasetError("a place has no view: give at least one picture of each")
    if [len(place) for place in azimuths] != sizes:
        raise DatasetError("each view needs one azimuth, in degrees clockwise from north")
    mask = torch.arange(max(sizes))[None, :] < torch.tensor(sizes)[:, None]
    padded = [torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True) for rows in (features, azimuths)]
    return Views(padded[0], mask.to(padded[0].device), padded[1].float())


def grouped_views(features: torch.Tensor, azimuth: torch.Tensor, sizes: Sequence[int]) -> Views:
    """Part the views of a batch ``[N, D]``, which follow each other place by place, into places of these sizes."""
    azimuth = azimuth.to(features.device).float()
    if len(set(sizes)) > 1:
        return padded_views(torch.split(features, list(sizes)), torch.split(azimuth, list(sizes)))
    # The usual case, and much faster than to pad.
    azimuth = azimuth.view(len(sizes), -1)
    return Views(features.view(*azimuth.shape, -1), torch.ones_like(azimuth, dtype=torch.bool), azimuth)
