"""What is trained: the two sources, the heads, their optimiser with three learning rates, schedule and average."""

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import AdamW

from geolocate.models.batch import PlaceBatch
from geolocate.models.clip import Clip
from geolocate.models.geocells import Cells
from geolocate.models.geolocator import Classes, Geolocator, ModelConfig
from geolocate.models.image_encoders import best_device
from geolocate.models.objective import training_loss
from geolocate.training.averaging import Averaged
from geolocate.training.chance import chance, set_chance
from geolocate.training.config import TrainConfig
from geolocate.training.parallel import average_gradients
from geolocate.training.schedules import Schedule
from geolocate.training.sources import CachedFeatures, LiveCaptions, LivePictures

Positions = tuple[np.ndarray, np.ndarray]


class Learner(nn.Module):
    """Sources and heads as one module; its state is what a checkpoint holds.

    ``pictures`` is called with sample numbers, train first and then val; ``captions`` with class numbers. ``positions``
    are the classes' latitudes and longitudes, ``[C]`` degrees each; ``ground`` is the cells that a loss or head needs;
    ``steps`` is how many steps there will be at most.
    """

    def __init__(
        self,
        pictures: CachedFeatures | LivePictures,
        captions: CachedFeatures | LiveCaptions,
        config: TrainConfig,
        positions: Positions,
        ground: Cells | None = None,
        steps: int = 1,
    ) -> None:
        super().__init__()
        self.ground = ground
        self.pictures, self.captions = pictures, captions
        self.weights = config.weights
        self.class_lat: torch.Tensor
        self.class_lon: torch.Tensor
        for name, degrees in zip(("class_lat", "class_lon"), positions, strict=True):
            self.register_buffer(name, torch.tensor(degrees), persistent=False)
        self.model = Geolocator(_architecture(pictures.dim, captions.dim, config, ground))
        self.to(best_device())
        # Fused is faster by far for small heads. It takes moments to lie in memory as their weights do, which those of
        # an encoder in channels_last do not once they were read from a file.
        fused = config.freeze_image and config.freeze_text
        self.optimizer = AdamW(self._groups(config), fused=fused)
        self.schedule = Schedule(self.optimizer, config, steps)
        self._clip_norm = config.clip_norm
        self._average = Averaged(self, config.ema)

    def _groups(self, config: TrainConfig) -> list[dict[str, Any]]:
        parts = (self.clip.image_head, self.clip.text_head, self.clip.fusion, self.model.cells, self.model.gps)
        named = [pair for part in parts if part is not None for pair in part.named_parameters()]
        heads = [parameter for name, parameter in named if name != "log_scale"]
        scale = [parameter for name, parameter in named if name == "log_scale"]
        scale += [self.clip.log_scale] if self.clip.normalised else []
        groups: list[dict[str, Any]] = [
            {"params": heads, "lr": config.lr_heads, "weight_decay": config.weight_decay},
            {"params": scale, "lr": config.lr_heads, "weight_decay": 0.0},
            {
                "params": list(self.pictures.parameters()),
                "lr": config.lr_image,
                "weight_decay": config.weight_decay_image,
            },
            {
                "params": list(self.captions.parameters()),
                "lr": config.lr_text,
                "weight_decay": config.weight_decay_text,
            },
        ]
        return [group for group in groups if group["params"]]

    @property
    def clip(self) -> Clip:
        """The text head, and what stands before it."""
        return self.model.clip

    def best(self) -> dict[str, torch.Tensor]:
        """The weights as a finished run names them: ``clip.*`` and so on, and those of tuned encoders."""
        return {name.removeprefix("model."): value for name, value in self.state_dict().items()}

    def loss(self, batch: PlaceBatch) -> torch.Tensor:
        """Loss of one batch."""
        # Encoding all captions takes a while: only where a loss asks for them.
        classes = self.classes() if self.weights.haversine else None
        return training_loss(self.model, batch, self.captions(batch.classes), self.weights, classes)

    def classes(self) -> Classes:
        """All classes: their captions' features and their positions."""
        return Classes(self.captions(torch.arange(len(self.class_lat))), self.class_lat, self.class_lon)

    def step(self, batch: PlaceBatch) -> float:
        """Take one step of the optimiser and give the batch's loss; a loss that is no number changes nothing."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            return value
        loss.backward()  # type: ignore[no-untyped-call]
        if isinstance(self.pictures, LivePictures):
            self.pictures.backward()
        average_gradients(self.parameters())
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self._clip_norm)
        self.optimizer.step()
        self.clip.clamp_temperature()
        self.schedule.after_step()
        self._average.update()
        return value

    def averaged(self) -> AbstractContextManager[None]:
        """Have the weights that are judged and kept in place within the block: their average, where there is one."""
        return self._average.in_place()

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(torch.isfinite(one).all()) for one in self.parameters())

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that is needed to go on: weights, their average, the optimiser's moments, and chance, by name."""
        parts = {
            "model": self.state_dict(),
            "average": self._average.tensors(),
            "optimizer": dict(self._moments()),
            "chance": chance(best_device()),
        }
        return {f"{part}.{name}": value for part, named in parts.items() for name, value in named.items()}

    def _moments(self) -> Iterator[tuple[str, torch.Tensor]]:
        for number, moments in self.optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                yield f"{number}.{name}", value

    def restore(self, tensors: Mapping[str, torch.Tensor], schedule: Mapping[str, Any]) -> None:
        """Become again what ``tensors()`` and ``schedule.state()`` described. Raises KeyError or RuntimeError."""
        self.load_state_dict(_below("model.", tensors))
        self._average.restore(_below("average.", tensors))
        state = self.optimizer.state_dict()
        state["state"] = {}
        for key, value in _below("optimizer.", tensors).items():
            number, _, name = key.partition(".")
            state["state"].setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict(state)
        self.schedule.restore(schedule)
        set_chance(_below("chance.", tensors))


def _architecture(image_dim: int, text_dim: int, config: TrainConfig, ground: Cells | None) -> ModelConfig:
    """Say what is built: a head whose loss counts nothing is left out."""
    return ModelConfig(
        image_dim=image_dim,
        text_dim=text_dim,
        clip=config.clip,
        cells=ground.to_json() if ground is not None and config.cells else None,
        gps=config.gps_encoder if config.gps else None,
    )


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
