"""A tiny random CLIP in a folder as transformers saves it, with a processor and a tokenizer of its own."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from geolocate.models.open_models import OpenModel

#: Not the size of any of our own transforms.
PIXELS = 42


def tiny_clip(folder: Path, *, pixels: int = PIXELS, projection: int = 768, seed: int = 0) -> Path:
    """Save model, processor and tokenizer in ``folder``; 768 is the width that GeoCLIP's head needs."""
    folder.mkdir(parents=True, exist_ok=True)
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    vocabulary = _vocabulary()
    text = {**small, "vocab_size": len(vocabulary), "max_position_embeddings": 77}
    text |= {"bos_token_id": vocabulary["<|startoftext|>"], "eos_token_id": vocabulary["<|endoftext|>"]}
    vision = {**small, "image_size": pixels, "patch_size": 14}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        CLIPModel(config).save_pretrained(folder)
    size = {"shortest_edge": pixels}
    CLIPImageProcessor(size=size, crop_size={"height": pixels, "width": pixels}).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    return folder


def thinned(model: OpenModel, step: int = 10) -> OpenModel:
    """Keep each tenth coordinate of a gallery: encoding all of a country's takes ten seconds."""
    gallery = replace(model.gallery, lat=model.gallery.lat[::step], lon=model.gallery.lon[::step])
    return replace(model, gallery=gallery)


def _vocabulary() -> dict[str, int]:
    """Single letters, inside and at the end of a word: the least that CLIP's byte pairs can do with."""
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}
