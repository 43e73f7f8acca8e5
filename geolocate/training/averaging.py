"""An exponential moving average of the weights: what is judged and kept, while the weights themselves go on.

In: a module, after each of its steps. Out: its averaged parameters, put in place for as long as they are asked for.
Polyak and Juditsky 1992; as a decay of weights it is the "EMA" of Tarvainen and Valpola (2017, arXiv 1703.01780).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


class Averaged:
    """The averages of a module's trained parameters; with a decay of 0 they are the parameters themselves.

    Early on the decay is (1 + steps) / (10 + steps), so that the random beginning does not linger. Buffers, such as the
    statistics of batch normalisation, are not averaged.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self._parameters = {name: one for name, one in module.named_parameters() if one.requires_grad}
        self._average = {name: one.detach().clone() for name, one in self._parameters.items()} if decay else {}

    @torch.no_grad()
    def update(self) -> None:
        """Move the averages by one step."""
        if not self._decay:
            return
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(list(self._average.values()), list(self._parameters.values()), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the module its averages within the block, and its own weights afterwards."""
        own = {name: one.data for name, one in self._parameters.items()}
        for name, average in self._average.items():
            self._parameters[name].data = average
        try:
            yield
        finally:
            for name, data in own.items():
                self._parameters[name].data = data

    def tensors(self) -> dict[str, torch.Tensor]:
        """The averages by name, and how many steps they are of."""
        return {**self._average, "steps": torch.tensor(self._steps)} if self._decay else {}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Become again what ``tensors()`` gave."""
        if self._decay:
            self._steps = int(tensors["steps"])
            for name, average in self._average.items():
                average.copy_(tensors[name])
