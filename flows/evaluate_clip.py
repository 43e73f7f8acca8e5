"""evaluate-clip: evaluate a trained run on its test ground, beside chance."""

from typing import Any

from prefect import flow

from flows.learning import evaluate_and_report


@flow(name="evaluate-clip", flow_run_name="evaluate {run}")
def evaluate_clip(run: str) -> dict[str, Any]:
    """Evaluate a run, write metrics.json and the report, and show both."""
    return evaluate_and_report(run)
