"""What the UI shows of a run: progress, tables, the map, where things lie."""

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from tasks.timing import CLOCK

Progress = Callable[[int, int], None]
PhaseProgress = Callable[[str, int, int], None]

#: An update costs the server a request, and a line of the log a reader's time: at most one in so many seconds.
UPDATE_SECONDS = 2.0
LINE_SECONDS = 10.0


@dataclass
class ProgressBar:
    """A progress artifact, and a line in the log now and then."""

    description: str
    artifact: UUID
    updated: float
    logged: float

    @classmethod
    def begin(cls, description: str) -> "ProgressBar":
        """Show an empty bar."""
        artifact = create_progress_artifact(progress=0.0, description=description)
        now = time.monotonic()
        return cls(description, cast("UUID", artifact), now, now)

    def report(self, done: int, total: int) -> None:
        """Move the bar to ``done`` of ``total``."""
        with CLOCK.reports():
            self._report(done, total)

    def _report(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self.updated >= UPDATE_SECONDS:
            self.updated = now
            update_progress_artifact(self.artifact, progress=100.0 * done / max(total, 1))
        if now - self.logged >= LINE_SECONDS:
            self.logged = now
            get_run_logger().info("%s: %d of %d", self.description, done, total)


def shard_progress(collection: str, step: str) -> Progress:
    """A bar for one step over one shard."""
    return ProgressBar.begin(f"{collection}: {step}").report


def phase_progress(run: str) -> PhaseProgress:
    """A bar for each phase of a training, begun when the phase begins."""
    bars: dict[str, ProgressBar] = {}

    def report(phase: str, done: int, total: int) -> None:
        if phase not in bars:
            bars[phase] = ProgressBar.begin(f"{run}: {phase}")
        bars[phase].report(done, total)

    return report


class LiveCurves:
    """A table of a run's epochs that grows while it is trained."""

    def __init__(self, run: str) -> None:
        self._description = f"{run}: curves"
        self._rows: list[Mapping[str, float]] = []
        self._artifact: UUID | None = None
        self._shown = (0, 0.0)

    def tell(self, figures: Mapping[str, float]) -> None:
        """Take the figures of an epoch, and show them unless the last were shown just now."""
        self._rows.append(figures)
        if time.monotonic() - self._shown[1] >= UPDATE_SECONDS:
            self.show()

    def show(self) -> None:
        """Show what is not shown yet; to be called once more when the training is over."""
        if len(self._rows) == self._shown[0]:
            return
        self._shown = len(self._rows), time.monotonic()
        table = curves_table(self._rows)
        with CLOCK.reports():
            if self._artifact is None:
                self._artifact = cast("UUID", create_markdown_artifact(table, description=self._description))
                return
            with get_client(sync_client=True) as client:
                client.update_artifact(self._artifact, ArtifactUpdate(data=table))


def curves_table(rows: Sequence[Mapping[str, float]]) -> str:
    """The figures of a run's epochs as a table in Markdown, the latest epoch first."""
    names = list(rows[-1])
    lines = ["| " + " | ".join(names) + " |", "|---:" * len(names) + "|"]
    lines += ["| " + " | ".join(f"{row[name]:.4g}" for name in names) + " |" for row in reversed(rows)]
    return "\n".join(lines)


def show_sweep(table: Sequence[Mapping[str, Any]], chosen: Path, figure: Path) -> None:
    """A table of a sweep's trials, its figure, and where the chosen configuration lies."""
    create_table_artifact(
        [dict(row) for row in table], key="trials", description=f"Figures on val ground; chosen: `{chosen}`"
    )
    encoded = base64.b64encode(figure.read_bytes()).decode()
    create_image_artifact(f"data:image/png;base64,{encoded}", key="sweep", description="Trials of the sweep")


def show_outcomes(collection: str, summary: Mapping[str, Any], notes: Sequence[str] = ()) -> None:
    """A table of how the planned points ended, with what is to be said of it."""
    rows = [{"status": status, "points": count} for status, count in summary["statuses"].items()]
    description = f"How the planned points of {collection} ended"
    create_table_artifact(rows, key="outcomes", description="\n\n".join([description, *notes]))


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
