"""CLIP as transformers has it: weights from a folder, pictures only ever through the processor that lies beside them.

In: a folder as ``save_pretrained`` writes it. Out: an image encoder that the feature cache takes, and text features.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import nn

from geolocate.errors import EncoderError, PictureError, WeightsAbsentError
from geolocate.models.image_encoders import ImageEncoder, best_device

_TEXTS_AT_ONCE = 64


@dataclass(frozen=True)
class ProcessorEncoder(ImageEncoder):
    """An image encoder whose pictures are prepared by the model's own processor, and by nothing else."""

    processor: Any

    @property
    def transform_id(self) -> str:
        """The processor's settings, hashed: features of another resize are never taken for these."""
        digest = hashlib.sha256(self.processor.to_json_string().encode()).hexdigest()[:12]
        return f"processor-{digest}-{self.pixels}px"

    def preprocess(self, body: bytes) -> torch.Tensor:
        """Turn a picture's bytes into the processor's ``[3, pixels, pixels]``. Raises PictureError."""
        try:
            with Image.open(io.BytesIO(body)) as image:
                # Only turned upright: the size is the processor's business.
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise PictureError(
                f"a picture of {len(body)} bytes cannot be read ({type(error).__name__}): give a whole JPEG, PNG or "
                "WebP"
            ) from error
        pixels: torch.Tensor = self.processor(images=upright, return_tensors="pt")["pixel_values"][0]
        return pixels


class ImageTower(nn.Module):
    """CLIP's image side, and what a model puts behind it."""

    def __init__(self, clip: nn.Module, behind: nn.Module | None = None) -> None:
        super().__init__()
        self.clip = clip
        self.behind = behind or nn.Identity()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Encode ``[B, 3, H, W]`` to ``[B, D]``."""
        features: torch.Tensor = self.behind(_pooled(self.clip.get_image_features(pixel_values=pictures)))  # type: ignore[operator]
        return features


@dataclass(frozen=True)
class ClipFolder:
    """What a folder held: the model, its image processor and its tokenizer."""

    path: Path
    model: Any
    processor: Any
    tokenizer: Any

    @property
    def scale(self) -> float:
        """One over the temperature that the model was trained to."""
        return float(self.model.logit_scale.exp())

    def encoder(self, name: str, behind: nn.Module | None = None) -> ProcessorEncoder:
        """Return the image side as an encoder, on the graphics card where there is one."""
        device = best_device()
        tower = ImageTower(self.model, behind).eval().to(device)
        pixels = self.model.config.vision_config.image_size
        with torch.inference_mode():
            dim = tower(torch.zeros(1, 3, pixels, pixels, device=device)).shape[1]
        mean, std = tuple(self.processor.image_mean), tuple(self.processor.image_std)
        return ProcessorEncoder(name, dim, pixels, mean, std, tower, self.processor)

    @torch.inference_mode()
    def texts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Encode prompts: ``[N, D]`` on the CPU, each normalised."""
        device, found = self.model.logit_scale.device, []
        for start in range(0, len(prompts), _TEXTS_AT_ONCE):
            part = list(prompts[start : start + _TEXTS_AT_ONCE])
            tokens = self.tokenizer(part, padding=True, truncation=True, return_tensors="pt").to(device)
            found.append(_pooled(self.model.get_text_features(**tokens)).float().cpu())
        return F.normalize(torch.cat(found), dim=1).clone()


def load_clip(path: Path) -> ClipFolder:
    """Load model, processor and tokenizer from a folder; nothing is fetched.

    Raises WeightsAbsentError for a folder without a CLIP model's files, EncoderError for files of another model or
    with weights missing.
    """
    import transformers
    from transformers.utils import logging

    loaders: Any = transformers
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, told = loaders.CLIPModel.from_pretrained(path, local_files_only=True, output_loading_info=True)
        processor = loaders.AutoImageProcessor.from_pretrained(path, local_files_only=True)
        tokenizer = loaders.AutoTokenizer.from_pretrained(path, local_files_only=True)
    except OSError as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsAbsentError(
            f"{path} is no folder of a CLIP model ({reason}): config.json, model.safetensors, preprocessor_config.json "
            "and the tokenizer's files are needed, as save_pretrained writes them"
        ) from error
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:120]
        raise EncoderError(f"{path} holds another model's files ({reason}): give a CLIP model's folder") from error
    # transformers would fill what is missing with random numbers, and go on.
    if told["missing_keys"]:
        missing = sorted(told["missing_keys"])
        raise EncoderError(f"{path} lacks {len(missing)} weights, such as {missing[0]}: fetch the folder again")
    return ClipFolder(path, model.eval().requires_grad_(False), processor, tokenizer)


def _pooled(output: Any) -> torch.Tensor:
    """Transformers 5 wraps what transformers 4 returned bare."""
    pooled: torch.Tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    return pooled
