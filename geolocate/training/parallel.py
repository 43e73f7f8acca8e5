"""Several processes that train one model, as ``torchrun`` starts them: one a graphics card, or two on a processor.

Each process encodes its share of a batch's pictures. The features are gathered with gradient, so that every process has
the whole batch for the loss, with its negatives; gradients are averaged. What is left, heads and captions, is the
same work in every process. Only the first writes files. Without torchrun all of this does nothing.
"""

import atexit
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def joined() -> Iterator[None]:
    """Be one of the processes that torchrun started, within the block; all of them leave it together."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    if not dist.is_initialized():
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if cuda else "gloo")
        # Only once a process: who leaves and joins again may meet those who have not left yet.
        atexit.register(dist.destroy_process_group)
    yield
    dist.barrier()


def size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the process that writes files and speaks."""
    return not dist.is_initialized() or dist.get_rank() == 0


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process go through the block before the others, who find in the caches what it has put there."""
    if dist.is_initialized() and not is_first():
        dist.barrier()
    yield
    if dist.is_initialized() and is_first():
        dist.barrier()


def share_of(numbers: list[int]) -> list[int]:
    """Return this process's part of a batch; all parts are of one length, the last ones filled up with the first."""
    if size() == 1:
        return numbers
    each = -(-len(numbers) // size())
    filled = numbers + numbers[:1] * (each * size() - len(numbers))
    return filled[dist.get_rank() * each : (dist.get_rank() + 1) * each]


def whole_of(share: torch.Tensor, count: int) -> torch.Tensor:
    """Put all processes' parts ``[n, D]`` of a batch of ``count`` together again, with gradient: ``[count, D]``."""
    if size() == 1:
        return share
    whole: torch.Tensor = _Gathered.apply(share)
    return whole[:count]


class _Gathered(torch.autograd.Function):
    """All processes' parts; backwards, the sum of what all processes' losses make of one's own part."""

    @staticmethod
    def forward(ctx: Any, share: torch.Tensor) -> torch.Tensor:
        parts = [torch.empty_like(share, memory_format=torch.contiguous_format) for _ in range(size())]
        dist.all_gather(parts, share.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        summed = grads[0].contiguous().clone()
        dist.all_reduce(summed)
        return summed.chunk(size())[dist.get_rank()]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the mean of all processes' gradients.

    Through ``whole_of`` a share's features get the gradients of all processes' losses, which are the same: as many
    times too much as there are processes, of a part of the batch each. The mean is the gradient of the whole batch.
    """
    if size() == 1:
        return
    for one in parameters:
        if one.grad is not None:
            dist.all_reduce(one.grad)
            one.grad /= size()


def agreed(figures: Mapping[str, float]) -> dict[str, float]:
    """Return the first process's figures, so that all take the same decisions by them."""
    if size() == 1:
        return dict(figures)
    device = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
    values = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
    dist.broadcast(values, 0)
    return dict(zip(figures, values.tolist(), strict=True))
