import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small tensors and a busy machine: waiting for the other thread takes longer than the work."""
    torch.set_num_threads(1)
