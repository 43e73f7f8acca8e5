"""Find the weights of an encoder: in a package, in a file or folder that the user names, or by the usual loaders.

Nothing is unpickled: ``.pth`` files are read with ``weights_only=True``, all others are safetensors.
"""

import hashlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from geolocate.errors import EncoderError

#: The word that asks for random weights: `resnet50=random`.
RANDOM = "random"
_RANDOM_SEED = 0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """An encoder as the user names it: ``resnet50``, ``resnet50=/path/to/weights.pth`` or ``resnet50=random``."""

    name: str
    source: str = ""

    @property
    def path(self) -> Path | None:
        """The file or folder that stands in for the usual weights."""
        return Path(self.source).expanduser() if self.source and not self.random else None

    @property
    def random(self) -> bool:
        """Whether random weights were asked for, in so many words."""
        return self.source == RANDOM


def parse_spec(text: str, kind: str, table: Mapping[str, object]) -> EncoderSpec:
    """Split ``name`` or ``name=PATH``. Raises EncoderError naming the choices for an unknown name."""
    name, separator, source = text.partition("=")
    if name not in table or (separator and not source):
        raise EncoderError(
            f"unknown {kind} encoder {text!r}: choose one of {', '.join(sorted(table))}, "
            "or NAME=PATH for weights in a local file or folder"
        )
    spec = EncoderSpec(name, source)
    if spec.path is not None and not spec.path.exists():
        raise EncoderError(f"{kind} encoder {text!r}: there is no file or folder {spec.path}")
    return spec


def package(module: str, advice: str) -> ModuleType:
    """Import a package that carries weights. Raises EncoderError with the advice where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EncoderError(f"{advice} ({error})") from error


def state_from_file(path: Path) -> dict[str, torch.Tensor]:
    """Read tensors by name from ``.safetensors``, or from a ``.pth`` that holds nothing else."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, OSError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0][:100]
        raise EncoderError(f"{path} holds no weights that are safe to read ({reason}): give a safetensors file") from (
            error
        )
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise EncoderError(f"{path} is not a table of tensors: save the model's state_dict()")
    return state


def load_state(module: nn.Module, state: Mapping[str, torch.Tensor], origin: str) -> None:
    """Put tensors into a module. Raises EncoderError when names or shapes are another model's."""
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise EncoderError(f"the weights in {origin} are another model's: {reason}") from error


@contextmanager
def random_weights() -> Iterator[None]:
    """Build a module with the same random weights each time, and leave the caller's random numbers alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_RANDOM_SEED)
        yield


def fingerprint(module: nn.Module) -> str:
    """Name weights by what they are, so that cached features never meet those of other weights."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]


def ordinary(name: str, loader: Callable[[], T], at_hand: str) -> T:
    """Run a hub's usual loader, which looks into its local cache first.

    Raises EncoderError, naming what is at hand, when the weights are neither cached nor to be fetched.
    """
    try:
        return loader()
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:80]
        raise EncoderError(
            f"the weights of {name!r} cannot be had here ({reason}): use {at_hand}, whose weights ship in a package, "
            f"or point at local ones with {name}=PATH"
        ) from error
