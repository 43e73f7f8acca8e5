"""The one way to train and evaluate, shared by train-clip, sweep-clip and the whole chain."""

from typing import Annotated, Any, Literal

from prefect import get_run_logger
from pydantic import Field

from flows.names import NAME
from geolocate.training.config import TrainConfig
from tasks import learning
from tasks.artifacts import show_map, show_report
from tasks.orders import data_root
from tasks.results import show_comparison, show_metrics
from tasks.timing import CLOCK

Run = Annotated[
    str, Field(pattern=f"^{NAME}$", max_length=100, description="A run's name, as the folder under runs/ is called")
]
ImageEncoder = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description="efficientnet-lite0-stages, efficientnet-lite0, resnet50, or NAME=PATH of local weights",
    ),
]
TextEncoder = Annotated[
    str, Field(min_length=1, max_length=1000, description="minilm, distilbert, or NAME=PATH of a local folder")
]
Loss = Annotated[
    Literal["infonce", "study"], Field(description="infonce, or study: the one of the study that this began with")
]
TrainSeed = Annotated[int, Field(ge=0, lt=2**32, description="Of the weights' start and of the batches' order")]
BesideStudy = Annotated[bool, Field(description="Train the study's recipe too, and set the result beside it")]
Epochs = Annotated[int, Field(ge=1, le=1000, description="Epochs at the most; early stopping ends sooner")]


def train_and_evaluate(dataset: str, config: TrainConfig) -> dict[str, Any]:
    """Train CLIP on a dataset version, evaluate it beside chance, report."""
    return announced(evaluate_and_report(trained(dataset, config)))


def trained(dataset: str, config: TrainConfig) -> str:
    """Train on a dataset version that no other run trains on meanwhile; raises LeaseError where one does."""
    with learning.leased(dataset) as version:
        return learning.train_clip(version, config)


def announced(result: dict[str, Any]) -> dict[str, Any]:
    """Tell the automations of the run that was evaluated, once it is wholly reported on."""
    learning.announce_run(result["run"])
    return result


def train_study_recipe(dataset: str, config: TrainConfig) -> str:
    """Train the study's recipe on the same encoders for as many epochs at the most, and evaluate it."""
    same = {name: getattr(config, name) for name in ("image_encoder", "text_encoder", "epochs", "seed")}
    study = trained(dataset, TrainConfig.study_recipe(**same))
    learning.evaluate_clip(study)
    return study


def beside_study(study: str, run: str) -> None:
    """Show what the study's recipe reached and what the run did, beside chance."""
    show_comparison(learning.compare_clip([study, run]))


def evaluate_and_report(run: str) -> dict[str, Any]:
    """Evaluate a finished run on the test ground and show what came out."""
    metrics = learning.evaluate_clip(run)
    report = learning.report_on(run)
    share = CLOCK.orchestration_share()
    show_metrics(metrics)
    show_map(data_root().run(run) / "map.png")
    show_report(report, share)
    get_run_logger().info("report: %s; orchestration's share of the wall time: %.1f %%", report, 100 * share)
    return {"run": run, "report": report, "orchestration_share": share}
