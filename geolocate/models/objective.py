"""What training minimises: the contrast between places and captions, and further losses by weight.

In: a batch of places, the captions of all classes, and where the classes lie. Out: one number. Each further loss is off
at weight 0, so that a recipe is a table of weights.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import BaseModel, ConfigDict, Field

from geolocate.models.batch import PlaceBatch
from geolocate.models.geolocator import Classes, Geolocator
from geolocate.models.losses import geography_loss, haversine_km, haversine_loss, region_loss


class LossWeights(BaseModel):
    """How much the further losses count beside the contrast, which counts 1; 0 leaves one out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    haversine: float = Field(default=0.0, ge=0, le=100)
    region: float = Field(default=0.0, ge=0, le=100)
    geography: float = Field(default=0.0, ge=0, le=100)
    #: The heads beside text; a head whose loss counts 0 is not built.
    cells: float = Field(default=0.0, ge=0, le=100)
    gps: float = Field(default=0.0, ge=0, le=100)
    #: How fast the smoothed targets fall with distance, in km: about the size of a cell.
    tau_km: float = Field(default=75.0, gt=0, le=20_000)


def training_loss(
    model: Geolocator, batch: PlaceBatch, captions: torch.Tensor, weights: LossWeights, classes: Classes | None = None
) -> torch.Tensor:
    """Return the weighted sum of all losses that are on, for B places whose captions' features are ``[B, T]``.

    ``classes`` is needed where ``weights.haversine`` is not 0: smoothed targets are over all classes.
    """
    clip, images = model.clip, model.embed(batch.views)
    total = clip.loss(images, clip.embed_texts(captions), batch.classes)
    if weights.haversine and classes is not None:
        km = haversine_km(batch.lat, batch.lon, classes.lat, classes.lon)
        logits = clip.scale * images @ clip.embed_texts(classes.captions).T
        total = total + weights.haversine * haversine_loss(logits, km, weights.tau_km)
    if weights.region or weights.geography:
        unit = F.normalize(images, dim=-1)
        km = haversine_km(batch.lat, batch.lon, batch.lat, batch.lon)
        total = total + weights.region * region_loss(unit, batch.cells, clip.scale)
        total = total + weights.geography * geography_loss(unit, km)
    return total + _of_heads(model, batch, model.widened(images), weights)


def _of_heads(
    model: Geolocator, batch: PlaceBatch, embedding: torch.Tensor, weights: LossWeights
) -> torch.Tensor | float:
    total: torch.Tensor | float = 0.0
    if model.cells is not None:
        total = total + weights.cells * model.cells.loss(embedding, batch.lat, batch.lon, batch.cells)
    if model.gps is not None:
        total = total + weights.gps * model.gps.loss(embedding, batch.lat, batch.lon)
    return total
