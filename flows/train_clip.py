"""train-clip: train CLIP on a dataset version, then evaluate it."""

from typing import Annotated, Any, Literal

from prefect import flow
from pydantic import Field

from flows.evaluate_clip import evaluate_clip
from flows.learning import Dataset, Epochs, ImageEncoder, TextEncoder
from geolocate.training.config import TrainConfig
from tasks import learning
from tasks.timing import CLOCK


@flow(name="train-clip", flow_run_name="train on {dataset}")
def train_clip(
    dataset: Dataset = "uk-cities-50",
    image_encoder: ImageEncoder = "efficientnet-lite0-stages",
    text_encoder: TextEncoder = "minilm",
    loss: Literal["infonce", "study"] = "infonce",
    epochs: Epochs = 40,
    seed: Annotated[int, Field(ge=0)] = 0,
) -> dict[str, Any]:
    """Train CLIP on a dataset version and end in evaluate-clip.

    An interrupted training goes on from its last epoch; a finished one is not trained again.
    """
    CLOCK.restart()
    config = TrainConfig(image_encoder=image_encoder, text_encoder=text_encoder, loss=loss, epochs=epochs, seed=seed)
    return evaluate_clip(learning.train_clip(dataset, config))
