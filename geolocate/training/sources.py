"""Where a batch's features come from: the cache, for a frozen encoder, or the encoder itself, in the graph.

Both are modules called with sample (or class) numbers ``[B]`` that give features ``[B, dim]``, so that the loop does
not know which it trains.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from geolocate.models.image_encoders import ImageEncoder
from geolocate.models.text_encoders import TextEncoder
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


class LivePictures(nn.Module):
    """Packed pictures, decoded ahead of the step that needs them, and encoded with gradient."""

    def __init__(self, encoder: ImageEncoder, loader: Loader) -> None:
        super().__init__()
        self.dim = encoder.dim
        self.module = encoder.module
        self._loader = loader
        self._coming: Iterator[tuple[list[int], torch.Tensor]] = iter(())
        self._next: tuple[list[int], torch.Tensor] | None = None

    def expect(self, batches: Iterable[Sequence[int] | np.ndarray]) -> None:
        """Begin to decode the batches that will be asked for, in this order; any other may still be asked for."""
        wanted = [[int(number) for number in batch] for batch in batches]
        self._coming = zip(wanted, self._loader.batches(wanted), strict=True)
        self._next = next(self._coming, None)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Encode the pictures with these numbers."""
        device = next(self.module.parameters()).device
        pictures = self._pictures(numbers.tolist()).to(device, memory_format=torch.channels_last)
        features: torch.Tensor = self.module(pictures)
        return features

    def _pictures(self, numbers: list[int]) -> torch.Tensor:
        if self._next is None or self._next[0] != numbers:
            return self._loader.batch(numbers)
        pictures = self._next[1]
        self._next = next(self._coming, None)
        return pictures


class LiveCaptions(nn.Module):
    """Captions encoded at each step, with gradient; a caption that a batch holds twice is encoded once."""

    def __init__(self, encoder: TextEncoder, captions: Sequence[str]) -> None:
        super().__init__()
        self.dim = encoder.dim
        self.module = encoder.module
        self._encoder = encoder
        self._captions = list(captions)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Encode the captions of the classes with these numbers."""
        distinct, position = torch.unique(numbers, return_inverse=True)
        tokens = self._encoder.tokens([self._captions[number] for number in distinct.tolist()])
        features: torch.Tensor = self.module(**tokens)
        return features[position.to(features.device)]
