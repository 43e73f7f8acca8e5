"""train-clip: train CLIP on a dataset version, then evaluate it."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.described import described
from flows.evaluate_clip import evaluate_clip
from flows.learning import Epochs, ImageEncoder, Loss, TextEncoder, TrainSeed, announced, trained
from flows.names import Dataset
from geolocate.errors import LeaseError
from geolocate.training.config import TrainConfig
from tasks.timing import CLOCK


@flow(name="train-clip", flow_run_name="train on {dataset}")
@described
def train_clip(
    dataset: Dataset = "uk-cities-50",
    image_encoder: ImageEncoder = "efficientnet-lite0-stages",
    text_encoder: TextEncoder = "minilm",
    loss: Loss = "infonce",
    epochs: Epochs = 40,
    seed: TrainSeed = 0,
) -> dict[str, Any] | State[Any]:
    """Train CLIP on a dataset version and end in evaluate-clip.

    An interrupted training goes on from its last epoch; a finished one is not trained again. While another run trains
    on the same version, this one ends at once in the state Refused, which names the other.
    """
    CLOCK.restart()
    config = TrainConfig(image_encoder=image_encoder, text_encoder=text_encoder, loss=loss, epochs=epochs, seed=seed)
    try:
        run = trained(dataset, config)
    except LeaseError as error:
        return Failed(name="Refused", message=str(error))
    return announced(evaluate_clip(run))
