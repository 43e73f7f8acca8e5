"""GeoguessrLSTM's architecture as a baseline, with its bugs mended.

In: features of a panorama's views from a frozen encoder. Out: a logit for each class. The original reads the views in
the order of its folder's files, and trains on ten places at a time, twenty epochs each; here they are read by their
azimuth, and a batch is drawn from all places.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from geolocate.models.batch import Views

#: As in the original.
HIDDEN = 64


class GeoguessrLstm(nn.Module):
    """Frozen features a view → LSTM(64) over the views from north clockwise → linear → softmax."""

    def __init__(self, image_dim: int, classes: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.lstm = nn.LSTM(image_dim, hidden, batch_first=True)
        self.classes = nn.Linear(hidden, classes)

    def forward(self, views: Views) -> torch.Tensor:
        """Give the logits ``[B, C]`` of B places, whatever the order of their views ``[B, V, D]`` and their padding."""
        ordered = by_azimuth(views)
        sizes = ordered.mask.sum(dim=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(ordered.features, sizes, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(packed)
        logits: torch.Tensor = self.classes(last[-1])
        return logits

    def loss(self, views: Views, classes: torch.Tensor) -> torch.Tensor:
        """Cross-entropy with the classes ``[B]``."""
        return F.cross_entropy(self(views), classes)

    def posterior(self, views: Views) -> torch.Tensor:
        """Give the probability of each class, ``[B, C]`` in double precision."""
        probability: torch.Tensor = self(views).double().softmax(dim=1)
        return probability


def by_azimuth(views: Views) -> Views:
    """Put each place's views in order, from north clockwise, and its padding last."""
    turned = (views.azimuth % 360).masked_fill(~views.mask, torch.inf)
    order = turned.argsort(dim=1, stable=True)
    features = views.features.gather(1, order.unsqueeze(-1).expand_as(views.features))
    return Views(features, views.mask.gather(1, order), views.azimuth.gather(1, order))
