"""evaluate-clip: evaluate a trained run on its test ground, beside chance."""

from typing import Annotated, Any

from prefect import flow, runtime
from pydantic import Field

from flows.described import described
from flows.learning import Run, evaluate_and_report
from geolocate.serving.predictor import latest_run
from tasks.orders import data_root
from tasks.timing import CLOCK

RunOrLatest = Annotated[Run, Field(description="The run's name; latest: the run that was finished last")]


@flow(name="evaluate-clip", flow_run_name="evaluate {run}")
@described
def evaluate_clip(run: RunOrLatest = "latest") -> dict[str, Any]:
    """Evaluate a run, write metrics.json and the report, and show both; ``latest`` is the run finished last."""
    if runtime.flow_run.parent_flow_run_id is None:
        CLOCK.restart()
    return evaluate_and_report(latest_run(data_root()) if run == "latest" else run)
