"""Curves while a run is trained: the same rows that ``curves.csv`` holds, handed on after each epoch.

In: a run's folder. Out: a progress callable for ``train`` that tells of new rows, and what writes them as TensorBoard's
files to ``<run>/tensorboard/``.
"""

import importlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from geolocate.errors import SettingsError
from geolocate.training.loop import TrainProgress

#: Told of an epoch's figures: ``epoch`` (from 1), ``train_loss``, ``val_loss``, ``val_mean_km``, …
TellEpoch = Callable[[Mapping[str, float]], Any]


def read_curves(folder: Path) -> pd.DataFrame:
    """Read a run's curves as far as they go, one row an epoch; no rows before the first."""
    path = folder / "curves.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame()


def telling_epochs(folder: Path, tell: TellEpoch, progress: TrainProgress | None = None) -> TrainProgress:
    """Give a progress callable that tells of each epoch once, also of those of before an interruption."""
    told = 0

    def report(stage: str, done: int, total: int) -> None:
        nonlocal told
        if stage == "epochs":
            fresh = read_curves(folder).iloc[told:]
            for row in fresh.to_dict("records"):
                tell({str(name): float(value) for name, value in row.items()})
            told += len(fresh)
        if progress is not None:
            progress(stage, done, total)

    return report


def tensorboard_epochs(folder: Path) -> TellEpoch:
    """Give what writes an epoch's figures to TensorBoard's files; those of an interrupted run are written anew.

    Raises SettingsError without the package.
    """
    try:
        writer_class = importlib.import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError as error:
        raise SettingsError(
            "TensorBoard's files need its package: pip install 'street-geolocate[tensorboard]'"
        ) from error
    writer = None

    def tell(figures: Mapping[str, float]) -> None:
        nonlocal writer
        if writer is None:  # only now: a finished run is told of nothing, and keeps its files
            shutil.rmtree(folder / "tensorboard", ignore_errors=True)
            writer = writer_class(folder / "tensorboard")
        for name, value in figures.items():
            if name != "epoch":
                writer.add_scalar(name, value, int(figures["epoch"]))
        writer.flush()

    return tell
