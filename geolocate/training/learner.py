"""What is trained: the two sources, the heads, their optimiser with three learning rates, and the schedule."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from geolocate.models.batch import PlaceBatch
from geolocate.models.clip import Clip
from geolocate.models.geocells import Cells
from geolocate.models.geolocator import Classes, Geolocator, ModelConfig
from geolocate.models.image_encoders import best_device
from geolocate.models.objective import training_loss
from geolocate.training.config import TrainConfig
from geolocate.training.sources import CachedFeatures, LiveCaptions, LivePictures

Positions = tuple[np.ndarray, np.ndarray]

#: What of the schedule changes from epoch to epoch.
_SCHEDULE = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch", "_last_lr")


class Learner(nn.Module):
    """Sources and heads as one module; its state is what a checkpoint holds.

    ``pictures`` is called with sample numbers, train first and then val; ``captions`` with class numbers. ``positions``
    are the classes' latitudes and longitudes, ``[C]`` degrees each; ``ground`` is the cells that a loss or head needs.
    """

    def __init__(
        self,
        pictures: CachedFeatures | LivePictures,
        captions: CachedFeatures | LiveCaptions,
        config: TrainConfig,
        positions: Positions,
        ground: Cells | None = None,
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
        self.optimizer = AdamW(self._groups(config))
        self.schedule = ReduceLROnPlateau(
            self.optimizer, factor=config.schedule_factor, patience=config.schedule_patience
        )

    def _groups(self, config: TrainConfig) -> list[dict[str, Any]]:
        parts = (self.clip.image_head, self.clip.text_head, self.clip.fusion, self.model.cells, self.model.gps)
        named = [pair for part in parts if part is not None for pair in part.named_parameters()]
        heads = [parameter for name, parameter in named if name != "log_scale"]
        scale = [parameter for name, parameter in named if name == "log_scale"]
        scale += [self.clip.log_scale] if self.clip.normalised else []
        groups: list[dict[str, Any]] = [
            {"params": heads, "lr": config.lr_heads, "weight_decay": config.weight_decay},
            {"params": scale, "lr": config.lr_heads, "weight_decay": 0.0},
            {"params": list(self.pictures.parameters()), "lr": config.lr_image, "weight_decay": 0.0},
            {"params": list(self.captions.parameters()), "lr": config.lr_text, "weight_decay": 0.0},
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
        """Take one step of the optimiser and give the batch's loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.clip.clamp_temperature()
        return float(loss.detach())

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that is needed to go on: weights and the optimiser's moments, by name."""
        weights = {f"model.{name}": value for name, value in self.state_dict().items()}
        return weights | dict(self._moments())

    def _moments(self) -> Iterator[tuple[str, torch.Tensor]]:
        for number, moments in self.optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                yield f"optimizer.{number}.{name}", value

    def rates(self) -> dict[str, Any]:
        """The numbers beside the tensors: learning rates, and where the schedule is."""
        schedule = self.schedule.state_dict()
        return {
            "lr": [group["lr"] for group in self.optimizer.param_groups],
            "schedule": {name: schedule[name] for name in _SCHEDULE},
        }

    def restore(self, tensors: dict[str, torch.Tensor], rates: dict[str, Any]) -> None:
        """Become again what ``tensors()`` and ``rates()`` described."""
        self.load_state_dict(_below("model.", tensors))
        state = self.optimizer.state_dict()
        state["state"] = {}
        for key, value in _below("optimizer.", tensors).items():
            number, _, name = key.partition(".")
            state["state"].setdefault(int(number), {})[name] = value
        for group, rate in zip(state["param_groups"], rates["lr"], strict=True):
            group["lr"] = rate
        self.optimizer.load_state_dict(state)
        self.schedule.load_state_dict(rates["schedule"])


def _architecture(image_dim: int, text_dim: int, config: TrainConfig, ground: Cells | None) -> ModelConfig:
    """Say what is built: a head whose loss counts nothing is left out."""
    return ModelConfig(
        image_dim=image_dim,
        text_dim=text_dim,
        clip=config.clip,
        cells=ground.to_json() if ground is not None and config.cells else None,
        gps=config.gps_encoder if config.gps else None,
    )


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
