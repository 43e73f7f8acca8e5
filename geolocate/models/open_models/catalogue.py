"""The open models by name: where their weights come from, under which licence, and how they are loaded.

In: a name, and a folder or the hub's cache. Out: a loaded model, or one line that says that its weights are absent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import nn

from geolocate.errors import EncoderError, WeightsAbsentError
from geolocate.models.open_models.towers import ClipFolder, ProcessorEncoder, load_clip
from geolocate.models.weights import load_state, package, state_from_file

#: Questions to the hub end after this long, so that a machine without a network is told so.
_HUB_TIMEOUT_S = 10.0
_FILES = ["*.json", "*.txt", "*.safetensors", "pytorch_model.bin"]
_GEOCLIP = (
    "geoclip needs its package: pip install --no-deps geoclip==1.3.0, and pip install 'street-geolocate[encoders]'"
)

Steps = Literal["one", "two", "gallery"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An open model as it is published: ``repository`` on the Hugging Face hub, and how it is asked."""

    title: str
    repository: str
    licence: str
    pixels: int
    steps: Steps
    load: Callable[["Entry", str, ClipFolder], "OpenModel"]


@dataclass(frozen=True)
class GalleryEncoder:
    """GeoCLIP's coordinates, and what brings them into the space of the pictures."""

    lat: torch.Tensor
    lon: torch.Tensor
    module: nn.Module

    @torch.inference_mode()
    def encode(self, chosen: torch.Tensor, batch: int = 4096) -> torch.Tensor:
        """Encode the chosen coordinates: ``[N, D]``, each normalised."""
        at = torch.stack([self.lat[chosen], self.lon[chosen]], dim=1).float()
        parts = [self.module(at[start : start + batch]) for start in range(0, len(at), batch)]
        return nn.functional.normalize(torch.cat(parts), dim=1).clone()


@dataclass(frozen=True)
class OpenModel:
    """A loaded model: pictures go through ``encoder``; ``clip`` reads prompts, or ``gallery`` holds coordinates."""

    name: str
    entry: Entry
    encoder: ProcessorEncoder
    scale: float
    clip: ClipFolder
    gallery: GalleryEncoder | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """Where weights are looked for: in a folder, or in the hub's cache, which is filled where ``download`` is set."""

    folder: Path | None = None
    download: bool = False


def open_model(name: str, weights: Weights | None = None) -> OpenModel:
    """Load an open model by its name in ``OPEN_MODELS``.

    Raises WeightsAbsentError where its weights are not on this machine (nothing is fetched unless asked), EncoderError
    for an unknown name, and for a folder of another model.
    """
    if name not in OPEN_MODELS:
        raise EncoderError(f"unknown open model {name!r}: choose one of {', '.join(OPEN_MODELS)}")
    entry = OPEN_MODELS[name]
    folder = load_clip(_folder_of(name, entry, weights or Weights()))
    pixels = folder.model.config.vision_config.image_size
    if folder.processor.crop_size["height"] != pixels:
        raise EncoderError(
            f"{folder.path}: its processor makes {folder.processor.crop_size['height']} px, its model takes {pixels}: "
            "they are not of one model"
        )
    return entry.load(entry, name, folder)


def weights_absent(name: str) -> bool:
    """Say whether the hub's cache on this machine lacks the weights of an open model; nothing is fetched."""
    try:
        _folder_of(name, OPEN_MODELS[name], Weights())
    except WeightsAbsentError:
        return True
    return False


def _folder_of(name: str, entry: Entry, weights: Weights) -> Path:
    if weights.folder is not None:
        if not (weights.folder / "config.json").is_file():
            raise WeightsAbsentError(
                f"no weights of {name!r} in {weights.folder}: put the files of {entry.repository} there "
                "(docs/open-models.md)"
            )
        return weights.folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            entry.repository,
            allow_patterns=_FILES,
            local_files_only=not weights.download,
            etag_timeout=_HUB_TIMEOUT_S,
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        tried = "could not be fetched" if weights.download else "are not in the hub's cache"
        raise WeightsAbsentError(
            f"the weights of {name!r} {tried}: put the files of {entry.repository} into a folder and name it with "
            "--weights (docs/open-models.md)"
        ) from error
    return Path(str(found))


def _text_model(entry: Entry, name: str, folder: ClipFolder) -> OpenModel:
    return OpenModel(name, entry, folder.encoder(name), folder.scale, folder)


def _geoclip(entry: Entry, name: str, folder: ClipFolder) -> OpenModel:
    """Put GeoCLIP together: CLIP from the folder; its head, location encoder, scale and gallery from its package."""
    parts = package("geoclip.model", _GEOCLIP)
    inside = Path(str(parts.__file__)).parent
    head = nn.Sequential(nn.Linear(768, 768), nn.ReLU(), nn.Linear(768, 512))
    _load(head, inside / "weights" / "image_encoder_mlp_weights.pth")
    location = parts.LocationEncoder(from_pretrained=False).eval().requires_grad_(False)
    _load(location, inside / "weights" / "location_encoder_weights.pth")
    width = folder.model.config.projection_dim
    if width != head[0].in_features:
        raise EncoderError(f"{folder.path}: its vectors have {width} numbers, GeoCLIP needs CLIP ViT-L/14's 768")
    scale = torch.load(inside / "weights" / "logit_scale_weights.pth", map_location="cpu", weights_only=True)
    places = pd.read_csv(inside / "gps_gallery" / "coordinates_100K.csv")
    lat, lon = (torch.tensor(places[column].to_numpy(float)) for column in ("LAT", "LON"))
    gallery = GalleryEncoder(lat, lon, location)
    return OpenModel(name, entry, folder.encoder(name, head), float(scale.exp()), folder, gallery)


def _load(module: nn.Module, path: Path) -> None:
    load_state(module, state_from_file(path), str(path))


OPEN_MODELS: dict[str, Entry] = {
    "openai-clip": Entry("OpenAI CLIP ViT-L/14", "openai/clip-vit-large-patch14", "MIT", 224, "one", _text_model),
    "streetclip": Entry("StreetCLIP", "geolocal/StreetCLIP", "CC BY-NC 4.0", 336, "two", _text_model),
    "geoclip": Entry("GeoCLIP", "openai/clip-vit-large-patch14", "MIT", 224, "gallery", _geoclip),
}
