"""The one way to train and evaluate, shared by train-clip, sweep-clip and the whole chain."""

from typing import Annotated, Any

from prefect import get_run_logger
from pydantic import Field

from geolocate.training.config import TrainConfig
from tasks import learning
from tasks.artifacts import show_map, show_metrics, show_report
from tasks.orders import data_root
from tasks.timing import CLOCK

Dataset = Annotated[str, Field(min_length=1, description="NAME, its newest version, or NAME@VERSION")]
ImageEncoder = Annotated[str, Field(description="efficientnet-lite0, resnet50, or NAME=PATH of local weights")]
TextEncoder = Annotated[str, Field(description="minilm, distilbert, or NAME=PATH of a local folder")]
Epochs = Annotated[int, Field(ge=1, le=1000, description="Epochs at the most; early stopping ends sooner")]


def train_and_evaluate(dataset: str, config: TrainConfig) -> dict[str, Any]:
    """Train CLIP on a dataset version, evaluate it beside chance, report."""
    return evaluate_and_report(learning.train_clip(dataset, config))


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
