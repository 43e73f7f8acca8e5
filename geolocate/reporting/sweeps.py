"""What a sweep found, as a figure.

In: a sweep's table and curves. Out: ``sweep.png``: the trials' curves, the best so far, and each setting beside the
figure that was reached with it. Figures are those on val ground.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from geolocate.reporting.figures import BLUE, GREEN, GREY, ORANGE, png
from geolocate.storage import atomic_write
from geolocate.training.sweep import Sweep

_COLOURS = {"trained": BLUE, "pruned": ORANGE, "failed": GREY, "begun": GREY}
_LABELS = {"val_mean_km": "mean distance on val, km", "val_loss": "loss on val"}


def write_sweep_figure(sweep: Sweep) -> str:
    """Draw a finished sweep to its folder and say where."""
    path = sweep.folder / "sweep.png"
    with atomic_write(path) as file:
        file.write(sweep_figure(sweep))
    return str(path)


def sweep_figure(sweep: Sweep) -> bytes:
    """Draw a sweep: curves, progress, and one panel a setting."""
    table, space = sweep.table(), sweep.config.space
    columns = 3
    rows = -(-(2 + len(space)) // columns)
    figure = Figure(figsize=(4.0 * columns, 3.2 * rows), layout="constrained")
    panels = [figure.add_subplot(rows, columns, number + 1) for number in range(2 + len(space))]
    label = _LABELS.get(sweep.config.base.select_by, sweep.config.base.select_by)
    _draw_curves(panels[0], sweep)
    _draw_progress(panels[1], table, sweep.config.base.select_by)
    for axes, (name, span) in zip(panels[2:], space.items(), strict=True):
        for outcome, of_outcome in table.groupby("outcome"):
            figures = of_outcome[sweep.config.base.select_by]
            axes.scatter(of_outcome[name], figures, s=18, c=_COLOURS[str(outcome)], label=str(outcome))
        axes.set_xlabel(name)
        axes.set_xscale("log" if span.log else "linear")
    for axes in panels:
        axes.set_ylabel(label, fontsize=8)
        axes.grid(alpha=0.25)
    panels[2].legend(fontsize=7)
    figure.suptitle(
        f"{sweep.name}: {len(table)} trials on {sweep.dataset.ref}, {sweep.dataset.world} world", fontsize=10
    )
    return png(figure)


def _draw_curves(axes: Axes, sweep: Sweep) -> None:
    for _, outcome, curve in sweep.curves():
        axes.plot(list(curve), list(curve.values()), color=_COLOURS[outcome or "begun"], linewidth=0.8, alpha=0.7)
    axes.set_xlabel("epoch")


def _draw_progress(axes: Axes, table: pd.DataFrame, select_by: str) -> None:
    figures = table[select_by].where(table["outcome"] == "trained").to_numpy(float)
    best = np.fmin.accumulate(figures)
    axes.scatter(table["number"], figures, s=14, c=BLUE, label="a trial")
    axes.step(table["number"], best, where="post", color=GREEN, label="the best so far")
    axes.set_xlabel("trial")
    axes.legend(fontsize=7)
