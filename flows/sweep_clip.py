"""sweep-clip: search for better training settings on val ground; each trial is a run of its own."""

from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.described import described
from flows.learning import Epochs, ImageEncoder, Loss, TextEncoder
from flows.names import Dataset
from geolocate.training.config import TrainConfig
from geolocate.training.sweep import SweepConfig
from tasks import sweeping
from tasks.artifacts import show_sweep
from tasks.timing import CLOCK


@flow(name="sweep-clip", flow_run_name="sweep on {dataset}")
@described
def sweep_clip(
    dataset: Dataset = "uk-cities-50",
    trials: Annotated[int, Field(ge=1, le=10_000, description="Trials in all, those of before included")] = 20,
    image_encoder: ImageEncoder = "efficientnet-lite0-stages",
    text_encoder: TextEncoder = "minilm",
    loss: Loss = "infonce",
    epochs: Epochs = 40,
    seed: Annotated[int, Field(ge=0, lt=2**32, description="Of what is proposed")] = 0,
) -> dict[str, Any]:
    """Try weight decay, patience, factor and learning rates, break off what is hopeless, and write what did best.

    The test ground is never read. Interrupted, it goes on in the trial that it was in; with more trials it searches on.
    """
    CLOCK.restart()
    base = TrainConfig(image_encoder=image_encoder, text_encoder=text_encoder, loss=loss, epochs=epochs)
    order = sweeping.SweepOrder(dataset=dataset, config=SweepConfig(base=base, trials=trials, seed=seed))
    while (number := sweeping.next_trial(order)) is not None:
        sweeping.try_settings(order, number)
    result = sweeping.choose_settings(order)
    show_sweep(sweeping.trials_table(order), Path(result["chosen"]), Path(result["figure"]))
    return {**result, "orchestration_share": CLOCK.orchestration_share()}
