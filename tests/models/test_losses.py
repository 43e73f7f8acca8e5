import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.models.losses import infonce_loss, study_loss


def _embeddings(seed: int, rows: int, dim: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images, texts = torch.randn(2, rows, dim, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(images, dim=-1), torch.nn.functional.normalize(texts, dim=-1)


@given(seed=st.integers(0, 10_000), rows=st.integers(2, 12), classes=st.integers(1, 4))
@settings(deadline=None)
def test_the_order_of_a_batch_does_not_matter(seed, rows, classes):
    images, texts = _embeddings(seed, rows)
    labels = torch.arange(rows) % classes
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    scale = torch.tensor(10.0)
    for loss in (infonce_loss, study_loss):
        one, two = loss(images, texts, scale, labels), loss(images[order], texts[order], scale, labels[order])
        assert one.item() == pytest.approx(two.item(), rel=1e-9)


def test_with_one_row_a_class_it_is_clips_own_loss():
    images, texts = _embeddings(1, 6)
    scale, rows = torch.tensor(5.0), torch.arange(6)
    logits = scale * images @ texts.T
    cross_entropy = torch.nn.functional.cross_entropy
    clip = (cross_entropy(logits, rows) + cross_entropy(logits.T, rows)) / 2
    assert infonce_loss(images, texts, scale, rows).item() == pytest.approx(clip.item())


def test_two_images_of_one_class_are_not_each_others_negatives():
    one, other = torch.eye(2, dtype=torch.float64)
    images = texts = torch.stack([one, one, other, other])
    scale = torch.tensor(100.0)
    # Each row can do no better than to share its mass among the two that are right.
    assert infonce_loss(images, texts, scale, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(math.log(2))
    assert infonce_loss(images, texts, scale, torch.arange(4)).item() == pytest.approx(math.log(2))
    assert infonce_loss(images, -texts, scale, torch.tensor([0, 0, 1, 1])).item() > 50


def test_several_positives_matter_where_the_captions_of_a_class_differ():
    """With one caption a class, several positives and one a row are the same loss: its texts lie in one spot."""
    images, texts = _embeddings(2, 6)
    labels, scale = torch.tensor([0, 0, 0, 1, 1, 2]), torch.tensor(10.0)
    same = texts[labels]
    assert infonce_loss(images, same, scale, labels).item() == pytest.approx(
        infonce_loss(images, same, scale, torch.arange(6)).item()
    )
    several, one = (infonce_loss(images, texts, scale, rows).item() for rows in (labels, torch.arange(6)))
    assert abs(several - one) > 0.1


def test_the_studys_loss_is_as_its_code_has_it():
    generator = torch.Generator().manual_seed(3)
    images, texts = torch.randn(2, 5, 4, generator=generator)
    logits = texts @ images.T
    targets = torch.softmax((images @ images.T + texts @ texts.T) / 2, dim=-1)
    by_text = (-targets * torch.log_softmax(logits, -1)).sum(1)
    by_image = (-targets.T * torch.log_softmax(logits.T, -1)).sum(1)
    expected = ((by_text + by_image) / 2).mean()
    assert study_loss(images, texts, torch.tensor(1.0), torch.arange(5)).item() == pytest.approx(expected.item())


def test_the_studys_targets_carry_gradient():
    images = torch.zeros(2, 3, requires_grad=True)
    texts = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    study_loss(images, texts, torch.tensor(1.0), torch.arange(2)).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
