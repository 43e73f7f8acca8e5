"""Two projection heads that bring pictures and captions into one space, as in the study."""

import math
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from geolocate.models.batch import Views
from geolocate.models.fusion import FUSIONS, FusionName
from geolocate.models.losses import LOSSES

LossName = Literal["infonce", "study"]
#: CLIP's own limit: beyond a scale of 100 training becomes unstable.
_MAX_LOG_SCALE = math.log(100)


#: A feature that is the same in all training pictures tells nothing, and is not blown up.
_LEAST_SPREAD = 1e-3


class ClipConfig(BaseModel):
    """The heads and the loss that they are trained with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: LossName = "infonce"
    projection: int = Field(default=256, ge=2, le=4096)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    temperature: float = Field(default=0.07, ge=0.01, le=10)
    fusion: FusionName = "mean"
    #: Bring each of the image features to mean 0 and variance 1 over the training pictures, as frozen ones need it.
    standardise: bool = False


class ProjectionHead(nn.Module):
    """Linear → GELU → Linear → dropout → residual → LayerNorm."""

    def __init__(self, dim: int, config: ClipConfig) -> None:
        super().__init__()
        self.projection = nn.Linear(dim, config.projection)
        self.gelu = nn.GELU()
        self.linear = nn.Linear(config.projection, config.projection)
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.projection)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Project ``[B, dim]`` to ``[B, projection]``."""
        projected = self.projection(features)
        added = self.dropout(self.linear(self.gelu(projected)))
        output: torch.Tensor = self.norm(projected + added)
        return output


class Clip(nn.Module):
    """An image head, a text head and a temperature; the encoders stand before it and are not part of it."""

    def __init__(self, image_dim: int, text_dim: int, config: ClipConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_mean: torch.Tensor
        self.feature_spread: torch.Tensor
        self.image_head = ProjectionHead(image_dim, config)
        self.text_head = ProjectionHead(text_dim, config)
        if config.standardise:
            self.register_buffer("feature_mean", torch.zeros(image_dim))
            self.register_buffer("feature_spread", torch.ones(image_dim))
        self.fusion = FUSIONS[config.fusion](config.projection)
        # The study's temperature is fixed, and its embeddings are compared as they leave the heads.
        self.normalised = config.loss == "infonce"
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)), requires_grad=self.normalised)

    @torch.no_grad()
    def standardise_by(self, features: torch.Tensor) -> None:
        """Take mean and spread from the features of the training pictures ``[N, image_dim]``."""
        spread, mean = torch.std_mean(features.double(), dim=0, correction=0)
        self.feature_mean.copy_(mean)
        self.feature_spread.copy_(spread.clamp(min=_LEAST_SPREAD))

    @property
    def scale(self) -> torch.Tensor:
        """One over the temperature."""
        return self.log_scale.exp()

    def embed_images(self, features: torch.Tensor) -> torch.Tensor:
        """Bring image features ``[B, image_dim]`` into the common space ``[B, projection]``."""
        if self.config.standardise:
            features = (features - self.feature_mean) / self.feature_spread
        return self._finish(self.image_head(features))

    def embed_places(self, views: Views) -> torch.Tensor:
        """Bring places of several views ``[B, V, image_dim]`` into the common space ``[B, projection]``.

        Each view is embedded by itself, then they are fused. The mean of normalised views is left as short as it is:
        views that disagree make an unsure answer.
        """
        embedded = self.embed_images(views.features.flatten(0, 1)).view(*views.mask.shape, -1)
        fused: torch.Tensor = self.fusion(Views(embedded, views.mask, views.azimuth))
        return fused if self.config.fusion == "mean" else self._finish(fused)

    def embed_texts(self, features: torch.Tensor) -> torch.Tensor:
        """Bring text features ``[B, text_dim]`` into the common space ``[B, projection]``."""
        return self._finish(self.text_head(features))

    def _finish(self, embedding: torch.Tensor) -> torch.Tensor:
        return F.normalize(embedding, dim=-1) if self.normalised else embedding

    def loss(self, images: torch.Tensor, texts: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Loss of a batch: embeddings of places and captions ``[B, projection]``, and class numbers ``[B]``."""
        return LOSSES[self.config.loss](images, texts, self.scale, classes)

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Keep the scale between 1 and 100; to be called after each step of the optimiser."""
        if self.normalised:
            self.log_scale.clamp_(0.0, _MAX_LOG_SCALE)
