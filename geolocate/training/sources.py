"""Where a batch's features come from: the cache, for a frozen encoder, or the encoder itself, in the graph.

Both are modules called with sample (or class) numbers ``[B]`` that give features ``[B, dim]``, so that the loop does
not know which it trains.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from geolocate.errors import SettingsError
from geolocate.models.image_encoders import ImageEncoder
from geolocate.models.text_encoders import TextEncoder
from geolocate.training import parallel
from geolocate.training.chance import chance, set_chance
from geolocate.training.loader import Loader


class CachedFeatures(nn.Module):
    """Rows of a table; nothing to train, nothing to save."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.dim = table.shape[1]
        self.table: torch.Tensor
        self.register_buffer("table", table, persistent=False)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Give the rows of the table with these numbers."""
        return self.table[numbers.to(self.table.device)]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How an encoder is trained along; see TrainConfig."""

    micro_batch: int | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False

    def autocast(self, device: torch.device) -> AbstractContextManager[None]:
        """Compute in this precision within the block.

        Raises SettingsError for bf16 without a graphics card: on processors it is 7 to 17 times slower.
        """
        if self.precision == "bf16" and device.type != "cuda":
            raise SettingsError(f"precision 'bf16' on {device.type}: it needs a graphics card; use fp32")
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")


class LivePictures(nn.Module):
    """Packed pictures, decoded ahead of the step that needs them, and encoded with gradient.

    With ``tuning.micro_batch`` they are encoded without gradient first; after the loss has given the features theirs,
    ``backward`` encodes them again, some at a time, and passes it on. Memory is that of a micro-batch, the gradient
    that of the whole batch (Gao and others 2021, arXiv 2101.06983). Batch normalisation sees a micro-batch at a time.
    """

    def __init__(self, encoder: ImageEncoder, loader: Loader, tuning: Tuning | None = None) -> None:
        super().__init__()
        self.dim = encoder.dim
        self.module = encoder.module
        self._tuning = tuning or Tuning()
        self._owed: _Owed | None = None
        if self._tuning.compile:
            self.module.compile()
        self._loader = loader
        self._coming: Iterator[tuple[list[int], torch.Tensor]] = iter(())
        self._next: tuple[list[int], torch.Tensor] | None = None

    def expect(self, batches: Iterable[Sequence[int] | np.ndarray]) -> None:
        """Begin to decode the batches that will be asked for, in this order; any other may still be asked for."""
        wanted = [parallel.share_of([int(number) for number in batch]) for batch in batches]
        self._coming = zip(wanted, self._loader.batches(wanted), strict=True)
        self._next = next(self._coming, None)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Encode the pictures with these numbers."""
        device = next(self.module.parameters()).device
        mine = parallel.share_of(numbers.tolist())
        pictures = self._pictures(mine).to(device, memory_format=torch.channels_last)
        micro = self._tuning.micro_batch
        if micro is None or len(pictures) <= micro or not torch.is_grad_enabled():
            return parallel.whole_of(self._encode(pictures), len(numbers))
        parts, chances = torch.split(pictures, micro), []
        with torch.no_grad():
            encoded = []
            for part in parts:
                chances.append(chance(device))
                encoded.append(self._encode(part))
        features = torch.cat(encoded).requires_grad_()
        self._owed = _Owed(parts, chances, features)
        return parallel.whole_of(features, len(numbers))

    def backward(self) -> None:
        """Pass on to the encoder what gradient the features of the last batch were given."""
        owed, self._owed = self._owed, None
        if owed is None or owed.features.grad is None:
            return
        now, buffers = chance(owed.features.device), {name: one.clone() for name, one in self.module.named_buffers()}
        grads = torch.split(owed.features.grad, [len(part) for part in owed.parts])
        for part, then, grad in zip(owed.parts, owed.chances, grads, strict=True):
            set_chance(then)
            torch.autograd.backward(self._encode(part), grad)
        set_chance(now)
        # The statistics of batch normalisation have seen these pictures already.
        for name, one in self.module.named_buffers():
            one.copy_(buffers[name])

    def _encode(self, pictures: torch.Tensor) -> torch.Tensor:
        with self._tuning.autocast(pictures.device):
            features: torch.Tensor = self.module(pictures)
        return features.float()

    def _pictures(self, numbers: list[int]) -> torch.Tensor:
        if self._next is None or self._next[0] != numbers:
            return self._loader.batch(numbers)
        pictures = self._next[1]
        self._next = next(self._coming, None)
        return pictures


@dataclass(frozen=True, slots=True)
class _Owed:
    """A batch whose encoder has not had its gradient yet, and where chance stood before each of its parts."""

    parts: Sequence[torch.Tensor]
    chances: list[dict[str, torch.Tensor]]
    features: torch.Tensor


class LiveCaptions(nn.Module):
    """Captions encoded at each step, with gradient; a caption that a batch holds twice is encoded once."""

    def __init__(self, encoder: TextEncoder, captions: Sequence[str], tuning: Tuning | None = None) -> None:
        super().__init__()
        self.dim = encoder.dim
        self._tuning = tuning or Tuning()
        self.module = encoder.module
        self._encoder = encoder
        self._captions = list(captions)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Encode the captions of the classes with these numbers."""
        distinct, position = torch.unique(numbers, return_inverse=True)
        tokens = self._encoder.tokens([self._captions[number] for number in distinct.tolist()])
        with self._tuning.autocast(next(self.module.parameters()).device):
            features: torch.Tensor = self.module(**tokens)
        return features.float()[position.to(features.device)]
