"""What training pulls together: one loss a name, each a pure function that gives one number.

Contrasts between pictures and captions take the embeddings of a batch, ``[B, D]`` each, the scale that multiplies their
products (one over the temperature), and the class of each row ``[B]``. The others say in their own docstrings what
they take. Distances are great-circle kilometres.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812

from geolocate.geography.distances import EARTH_RADIUS_KM

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def infonce_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE in which all rows of one class are positives of each other.

    With 50 captions and a batch of 256, most rows share their caption with others. Rows with the very same caption lie
    in one spot, and there one positive a row comes to the same; where the captions of one class differ, as when parts
    are dropped at random, one positive a row would push them apart. The embeddings are expected to be normalised. CLIP
    (arXiv 2103.00020) with the targets of supervised contrast (arXiv 2004.11362, L_out).
    """
    logits = scale * images @ texts.T
    same = (classes.unsqueeze(0) == classes.unsqueeze(1)).to(logits.dtype)
    targets = same / same.sum(dim=1, keepdim=True)
    # `targets` is symmetric up to its row sums, which are class sizes, and so serves both directions.
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def study_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The study's own loss ("Simple CLIP"), kept as it is so that the study can be reproduced.

    Soft targets come from the batch's own similarities and carry gradient, the embeddings are not normalised, and
    the transposed targets do not sum to 1. ``classes`` plays no part.
    """
    logits = scale * texts @ images.T
    targets = F.softmax((images @ images.T + texts @ texts.T) / 2 / scale, dim=-1)
    of_texts = -(targets * F.log_softmax(logits, dim=-1)).sum(dim=1)
    of_images = -(targets.T * F.log_softmax(logits.T, dim=-1)).sum(dim=1)
    return ((of_texts + of_images) / 2).mean()


LOSSES: dict[str, Loss] = {"infonce": infonce_loss, "study": study_loss}


def smoothed_targets(km: torch.Tensor, tau_km: float) -> torch.Tensor:
    """Return how much each of C candidates counts as right ``[B, C]``, rows summing to 1, from distances ``[B, C]``.

    y_i ∝ exp(−(d_i − min d) / τ), PIGEON's haversine smoothing (arXiv 2307.05845, section 3.2): a neighbouring city is
    a better answer than one at the other end of the country. τ is about the size of a cell.
    """
    return F.softmax(-km / tau_km, dim=1)


def haversine_loss(logits: torch.Tensor, km: torch.Tensor, tau_km: float) -> torch.Tensor:
    """Cross-entropy of ``[B, C]`` logits over candidates at these distances ``[B, C]``, with smoothed targets."""
    return F.cross_entropy(logits, smoothed_targets(km, tau_km).to(logits.dtype))


def region_loss(images: torch.Tensor, cells: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Contrast pictures with pictures: positives share a cell, at each level of the hierarchy alike.

    ``images`` is ``[B, D]``, normalised; ``cells`` is ``[B, L]``. A row that has its cell to itself at a level has no
    positive there and is left out of that level. Supervised contrast (arXiv 2004.11362, L_out) with the regions of
    OpenStreetView-5M (arXiv 2404.18873), where it does better than contrast with text.
    """
    itself = torch.eye(len(images), dtype=torch.bool, device=images.device)
    log_share = F.log_softmax((scale * images @ images.T).masked_fill(itself, -torch.inf), dim=1)
    # Of itself it is minus infinity, and 0 times that would be no number.
    log_share = log_share.masked_fill(itself, 0.0)
    losses = [_positives_loss(log_share, (level[:, None] == level[None, :]) & ~itself) for level in cells.T]
    return torch.stack(losses).mean() if losses else images.sum() * 0.0


def _positives_loss(log_share: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    count = positive.sum(dim=1)
    per_row = -(log_share * positive).sum(dim=1) / count.clamp(min=1)
    return per_row[count > 0].sum() / (count > 0).sum().clamp(min=1)


def geography_loss(images: torch.Tensor, km: torch.Tensor) -> torch.Tensor:
    """Let pictures lie apart as their places do: mean absolute difference of two matrices of distances in 0 … 1.

    ``images`` is ``[B, D]``, normalised; ``km`` is ``[B, B]``. Cosine distances and kilometres are each divided by the
    greatest of the batch. AddressCLIP's image-geography matching (arXiv 2407.08156, section 4.2), with great-circle
    distances in place of its Manhattan ones.
    """
    apart = 1.0 - images @ images.T
    return (_of_greatest(apart) - _of_greatest(km).to(apart.dtype)).abs().mean()


def _of_greatest(distances: torch.Tensor) -> torch.Tensor:
    return distances / distances.detach().max().clamp(min=1e-9)


def haversine_km(lat: torch.Tensor, lon: torch.Tensor, to_lat: torch.Tensor, to_lon: torch.Tensor) -> torch.Tensor:
    """Return great-circle distances ``[A, B]`` in km between positions ``[A]`` and ``[B]``, in degrees."""
    lat_a, lon_a = torch.deg2rad(lat)[:, None], torch.deg2rad(lon)[:, None]
    lat_b, lon_b = torch.deg2rad(to_lat)[None, :], torch.deg2rad(to_lon)[None, :]
    half = ((lat_a - lat_b) / 2).sin() ** 2 + lat_a.cos() * lat_b.cos() * ((lon_a - lon_b) / 2).sin() ** 2
    return 2 * EARTH_RADIUS_KM * half.clamp(0, 1).sqrt().asin()
