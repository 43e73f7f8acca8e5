"""How many cores torch takes for one operation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work on one core within the block.

    Two heads on cached features are small: on a busy machine with two cores a step took 35 ms on one core and over
    600 ms on both, which wait for each other. One core also gives the same bits whatever the machine has.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
