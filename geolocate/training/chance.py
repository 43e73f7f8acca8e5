"""Where torch's random numbers stand, so that what was interrupted draws the same ones again."""

from collections.abc import Mapping

import torch


def chance(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the state of the generators of the processor and, where that is a graphics card, of ``device``."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_chance(states: Mapping[str, torch.Tensor]) -> None:
    """Go back to what ``chance`` returned."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
