"""Tasks of training, evaluating and reporting."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from geolocate.dataset import open_dataset
from geolocate.dataset.leases import lease
from geolocate.dataset.versions import version_path
from geolocate.evaluation.compare import read_evaluated
from geolocate.evaluation.evaluate import evaluate
from geolocate.evaluation.study import system_rows
from geolocate.evaluation.val_distance import val_distance
from geolocate.reporting.promotion import promote, standing
from geolocate.reporting.report import write_report
from geolocate.storage import read_json
from geolocate.training.checkpoints import load_run
from geolocate.training.config import TrainConfig, default_run_name
from geolocate.training.live_curves import telling_epochs
from geolocate.training.loop import TrainProgress, train
from tasks.artifacts import LiveCurves, phase_progress
from tasks.orders import data_root
from tasks.timing import CLOCK

EVALUATED = "geolocate.run.evaluated"


@contextmanager
def leased(dataset: str) -> Iterator[str]:
    """Hold a dataset version for this run alone, and give its full name; raises LeaseError while another run does."""
    path = version_path(data_root(), dataset)
    version = f"{path.parent.name}@{path.name}"
    with lease(data_root(), version, f"run {runtime.flow_run.name!r} ({runtime.flow_run.id})"):
        yield version


@task(task_run_name="train on {dataset}", cache_policy=NO_CACHE)
def train_clip(dataset: str, config: TrainConfig) -> str:
    """Train, or go on with an interrupted training; a finished run is kept as it is. Gives the run's name."""
    return CLOCK.measures(_train)(dataset, config)


def _train(dataset: str, config: TrainConfig) -> str:
    root = data_root()
    version = open_dataset(root, dataset)
    run = default_run_name(version.ref, config)
    with shown_training(run) as progress:
        train(root, version, config, run, progress, val_distance(version))
    return run


@contextmanager
def shown_training(run: str) -> Iterator[TrainProgress]:
    """Show a bar for each phase of a training, and its curves, for as long as the block lasts."""
    curves = LiveCurves(run)
    try:
        yield telling_epochs(data_root().run(run), curves.tell, phase_progress(run))
    finally:
        curves.show()


@task(task_run_name="evaluate {run}", cache_policy=NO_CACHE)
def evaluate_clip(run: str) -> dict[str, Any]:
    """Evaluate on the test ground, beside chance."""
    return CLOCK.measures(evaluate)(data_root(), run)


@task(task_run_name="compare {runs}", cache_policy=NO_CACHE)
def compare_clip(runs: list[str]) -> dict[str, Any]:
    """Set evaluated runs of one dataset version side by side, beside chance."""
    return CLOCK.measures(_compare)(runs)


def _compare(runs: list[str]) -> dict[str, Any]:
    return system_rows([read_evaluated(data_root(), run) for run in runs])


@task(task_run_name="report on {run}", cache_policy=NO_CACHE)
def report_on(run: str) -> str:
    """Write the self-contained report and say where it lies."""
    return str(CLOCK.measures(write_report)(data_root(), run))


def announce_run(run: str) -> None:
    """Tell the automations of an evaluated run, and how it stands to the model in use."""
    trained, stands = load_run(data_root(), run), standing(data_root(), run)
    get_run_logger().info("%s beside the model in use on val ground: %s", run, stands)
    emit_event(
        event=EVALUATED,
        resource={
            "prefect.resource.id": f"geolocate.run.{run}",
            "prefect.resource.name": run,
            "geolocate.dataset": str(trained.dataset),
            "geolocate.better": "yes" if stands in ("first", "better") else "no",
        },
        payload={"run": run, "standing": stands},
    )


@task(task_run_name="promote {run}", cache_policy=NO_CACHE)
def promote_clip(run: str) -> dict[str, Any]:
    """Put a run in the place of the model in use; raises CheckpointError where it did no better on val ground."""
    promoted = CLOCK.measures(promote)(data_root(), [run])
    record = read_json(data_root().model(promoted.name, promoted.version) / "promotion.json")
    get_run_logger().info("%s@%s is in use: %s", promoted.name, promoted.version, record["reason"])
    return dict(record)
