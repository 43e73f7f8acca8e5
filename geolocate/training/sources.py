"""Where a batch's features come from: the cache, for a frozen encoder, or the encoder itself, in the graph.

Both are modules called with sample (or class) numbers ``[B]`` that give features ``[B, dim]``, so that the loop does
not know which it trains.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import torch
from torch import nn

from geolocate.errors import StorageError
from geolocate.models.image_encoders import ImageEncoder
from geolocate.models.text_encoders import TextEncoder


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
    """Pictures decoded and encoded at each step, with gradient."""

    def __init__(self, encoder: ImageEncoder, paths: Sequence[Path]) -> None:
        super().__init__()
        self.dim = encoder.dim
        self.module = encoder.module
        self._encoder = encoder
        self._paths = list(paths)
        self._pool = ThreadPoolExecutor(max_workers=min(8, cpu_count() or 1))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Decode and encode the pictures with these numbers."""
        pictures = torch.stack(list(self._pool.map(self._picture, numbers.tolist())))
        device = next(self.module.parameters()).device
        features: torch.Tensor = self.module(pictures.to(device, memory_format=torch.channels_last))
        return features

    def _picture(self, number: int) -> torch.Tensor:
        path = self._paths[number]
        if not path.exists():
            raise StorageError(f"no picture {path}: collect the dataset's collection again")
        return self._encoder.preprocess(path.read_bytes())


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
