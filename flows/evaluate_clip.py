"""evaluate-clip: evaluate a trained run on its test ground, beside chance."""

from typing import Any

from prefect import flow, runtime

from flows.learning import evaluate_and_report
from geolocate.serving.predictor import latest_run
from tasks.orders import data_root
from tasks.timing import CLOCK


@flow(name="evaluate-clip", flow_run_name="evaluate {run}")
def evaluate_clip(run: str = "latest") -> dict[str, Any]:
    """Evaluate a run, write metrics.json and the report, and show both; ``latest`` is the run finished last."""
    if runtime.flow_run.parent_flow_run_id is None:
        CLOCK.restart()
    return evaluate_and_report(latest_run(data_root()) if run == "latest" else run)
