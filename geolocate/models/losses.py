"""What pulls an image to its caption: one loss a name, each symmetric between images and texts.

A loss takes the embeddings of a batch, images and texts ``[B, D]`` each, the scale that multiplies their products
(one over the temperature), and the class of each row ``[B]``; it gives one number.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def infonce_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE in which all rows of one class are positives of each other.

    With 50 captions and a batch of 256, most rows share their caption with others: with one positive a row, equal
    captions would be pushed apart. The embeddings are expected to be normalised.
    """
    logits = scale * images @ texts.T
    same = (classes.unsqueeze(0) == classes.unsqueeze(1)).to(logits.dtype)
    targets = same / same.sum(dim=1, keepdim=True)
    # `targets` is symmetric up to its row sums, which are class sizes, and so serves both directions.
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def study_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The study's own loss ("Simple CLIP"), kept as it is so that the study can be reproduced.

    Soft targets come from the batch's own similarities and carry gradient, the embeddings are not normalised, and
    the transposed targets do not sum to 1. ``classes`` plays no part.
    """
    logits = scale * texts @ images.T
    targets = F.softmax((images @ images.T + texts @ texts.T) / 2 / scale, dim=-1)
    of_texts = -(targets * F.log_softmax(logits, dim=-1)).sum(dim=1)
    of_images = -(targets.T * F.log_softmax(logits.T, dim=-1)).sum(dim=1)
    return ((of_texts + of_images) / 2).mean()


LOSSES: dict[str, Loss] = {"infonce": infonce_loss, "study": study_loss}
