"""Tasks of a sweep: propose, try, choose. They pass the sweep's order and a trial's number to each other."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from geolocate.dataset import open_dataset
from geolocate.evaluation.val_distance import val_distance
from geolocate.reporting.sweeps import write_sweep_figure
from geolocate.training.sweep import Sweep, SweepConfig, default_sweep_name
from tasks.learning import shown_training
from tasks.orders import data_root
from tasks.timing import CLOCK


class SweepOrder(BaseModel):
    """A search over training settings on one dataset version."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    config: SweepConfig

    def sweep(self) -> Sweep:
        """Begin the sweep on this machine, or go on with it."""
        root = data_root()
        version = open_dataset(root, self.dataset)
        return Sweep(root, default_sweep_name(version.ref, self.config), version, self.config)


def next_trial(order: SweepOrder) -> int | None:
    """Give the number of the trial to try next; nothing when there were enough."""
    trial = CLOCK.measures(order.sweep().ask)()
    return None if trial is None else trial.number


@task(task_run_name="trial {number} on {order.dataset}", cache_policy=NO_CACHE)
def try_settings(order: SweepOrder, number: int) -> str:
    """Train one trial, or go on with it, and tell the sweep; gives ``trained``, ``pruned`` or ``failed``."""
    sweep = order.sweep()
    trial = sweep.trial(number)
    with shown_training(trial.run) as progress:
        return str(CLOCK.measures(sweep.run)(trial, val_distance(sweep.dataset), progress))


@task(task_run_name="choose on {order.dataset}", cache_policy=NO_CACHE)
def choose_settings(order: SweepOrder) -> dict[str, Any]:
    """Write the chosen configuration, the table and the figure, and say where they lie."""
    sweep = order.sweep()
    chosen = CLOCK.measures(sweep.finish)()
    figure = CLOCK.measures(write_sweep_figure)(sweep)
    return {
        "sweep": sweep.name,
        "trial": chosen.number,
        "run": chosen.run,
        "chosen": str(sweep.folder / "chosen.json"),
        "figure": figure,
        "settings": {name: getattr(chosen.config, name) for name in sweep.config.space},
    }


def trials_table(order: SweepOrder) -> list[dict[str, str]]:
    """The sweep's trials, each cell as text."""
    rows = order.sweep().table().to_dict("records")
    return [
        {str(name): f"{cell:.4g}" if isinstance(cell, float) else str(cell) for name, cell in row.items()}
        for row in rows
    ]
