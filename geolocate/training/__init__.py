"""Train the model on a dataset version, and open what was trained."""

from geolocate.training.checkpoints import RunState, TrainedRun, load_run, run_state
from geolocate.training.config import TrainConfig, config_from_options, default_run_name
from geolocate.training.loop import train

__all__ = [
    "RunState",
    "TrainConfig",
    "TrainedRun",
    "config_from_options",
    "default_run_name",
    "load_run",
    "run_state",
    "train",
]
