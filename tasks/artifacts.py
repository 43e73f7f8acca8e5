"""What the UI shows of a run: progress, tables, the map, where things lie."""

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

Progress = Callable[[int, int], None]

#: An update costs the server a request: at most one in this many seconds.
UPDATE_SECONDS = 2.0


def shard_progress(collection: str, step: str) -> Progress:
    """A progress bar for one step over one shard."""
    return _progress(f"{collection}: {step}")


def step_progress(run: str) -> Progress:
    """A progress bar for one long step of a training run."""
    return _progress(f"{run}: training")


def _progress(description: str) -> Progress:
    artifact = create_progress_artifact(progress=0.0, description=description)
    updated = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal updated
        finished = done >= total
        if finished or time.monotonic() - updated >= UPDATE_SECONDS:
            updated = time.monotonic()
            update_progress_artifact(artifact, progress=100.0 * done / max(total, 1))

    return report


def show_outcomes(collection: str, summary: Mapping[str, Any]) -> None:
    """A table of how the planned points ended."""
    rows = [{"status": status, "points": count} for status, count in summary["statuses"].items()]
    create_table_artifact(rows, key="outcomes", description=f"How the planned points of {collection} ended")


def show_metrics(metrics: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
    """A table of the model beside chance."""
    description = f"{metrics['dataset']} · {metrics['world']} world · test ground only"
    create_table_artifact(rows, key="metrics", description=description)


def show_map(picture: Path) -> None:
    """The map of true and predicted places, inlined so that it shows without a network."""
    encoded = base64.b64encode(picture.read_bytes()).decode()
    create_image_artifact(f"data:image/png;base64,{encoded}", key="map", description="True places and predictions")


def show_report(report: str, share: float) -> None:
    """Where the report lies, and what the orchestrator cost."""
    create_markdown_artifact(
        f"Report: `{report}`\n\nOrchestration's share of the wall time: {share:.1%}",
        key="report",
        description="Where the report lies",
    )
