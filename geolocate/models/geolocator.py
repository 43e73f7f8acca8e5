"""The whole model behind the encoders: views become one place, and several heads say where it is.

In: a batch of views, and the classes to choose among. Out: a probability for each class, and, from the cells' head,
positions that are no class's. What a model is built like is a ModelConfig, plain JSON; a checkpoint that is built
otherwise is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from geolocate.errors import CheckpointError
from geolocate.models.batch import Views
from geolocate.models.clip import Clip, ClipConfig
from geolocate.models.geocells import CellHead, Cells, cells_from_json
from geolocate.models.gps import GpsEncoderName, GpsHead
from geolocate.models.weights import random_weights


class ModelConfig(BaseModel):
    """What a model is built like: the widths of its encoders' features, and its heads; ``clip`` is always there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_dim: int = Field(ge=1)
    text_dim: int = Field(ge=1)
    clip: ClipConfig = ClipConfig()
    #: The cells that the head of geocells is built over, as ``Cells.to_json`` gives them.
    cells: dict[str, Any] | None = None
    gps: GpsEncoderName | None = None


@dataclass(frozen=True)
class Classes:
    """All C classes: their captions' features ``[C, T]`` and their positions ``[C]`` in degrees, double precision."""

    captions: torch.Tensor
    lat: torch.Tensor
    lon: torch.Tensor


@dataclass(frozen=True)
class CellAnswer:
    """The finest cells' probabilities ``[B, n]``, and where in each the place would lie: ``lat, lon`` ``[B, n]``."""

    posterior: torch.Tensor
    lat: torch.Tensor
    lon: torch.Tensor


class Geolocator(nn.Module):
    """Fusion and heads: text always (``clip``), geocells (``cells``) and coordinates (``gps``) where asked for.

    All heads read the same embedding of a place. Their weights are named ``clip.*``, ``cells.*`` and ``gps.*``.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.clip.projection
        self.clip = Clip(config.image_dim, config.text_dim, config.clip)
        self.ground: Cells | None = cells_from_json(config.cells) if config.cells else None
        self.cells = CellHead(width, self.ground) if self.ground else None
        self.gps = GpsHead(width, config.gps) if config.gps else None

    def embed(self, views: Views) -> torch.Tensor:
        """Fuse views ``[B, V, image_dim]`` to the embeddings ``[B, projection]`` that captions are compared with."""
        return self.clip.embed_places(views)

    def widened(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return embeddings as long as a LayerNorm's outputs: linear layers learn slowly from shorter ones."""
        return embedding * self.config.clip.projection**0.5 if self.clip.normalised else embedding

    def posterior(self, views: Views, classes: Classes) -> torch.Tensor:
        """Return the probability of each class ``[B, C]`` in double precision, rows summing to 1: the heads' mean."""
        embedding = self.embed(views)
        wide = self.widened(embedding)
        logits = self.clip.scale * embedding @ self.clip.embed_texts(classes.captions).T
        found = [logits.double().softmax(dim=1)]
        if self.cells is not None:
            found.append(self.cells.class_posterior(wide))
        if self.gps is not None:
            found.append(self.gps.log_posterior(wide, classes.lat, classes.lon).double().softmax(dim=1))
        return torch.stack(found).mean(dim=0)

    def cell_answer(self, views: Views) -> CellAnswer | None:
        """Return what the head of geocells says by itself, with the positions in its cells; None without that head."""
        if self.cells is None:
            return None
        wide = self.widened(self.embed(views))
        at = self.cells.positions(wide)
        return CellAnswer(self.cells.log_posterior(wide).double().softmax(dim=1), at[..., 0], at[..., 1])


def geolocator_from_state(config: ModelConfig, state: Mapping[str, torch.Tensor], origin: str) -> Geolocator:
    """Build a model and give it its weights, ready to answer.

    Raises CheckpointError with one line when ``state``, which comes from ``origin``, is of another architecture.
    """
    with random_weights():
        model = Geolocator(config)
    difference = _difference(model.state_dict(), state)
    if difference:
        raise CheckpointError(f"{origin} is of another architecture ({difference}): train the run again")
    model.load_state_dict(dict(state))
    return model.eval().requires_grad_(False)


def _difference(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> str:
    """Name the first tensor that is missing, unknown or of another shape, or nothing."""
    for name in sorted({*wanted, *given}):
        if name not in given:
            return f"it has no {name}"
        if name not in wanted:
            return f"its {name} is unknown here"
        if given[name].shape != wanted[name].shape:
            return f"its {name} is {list(given[name].shape)}, not {list(wanted[name].shape)}"
    return ""
