"""How the learning rates change: warmed up by steps, then lowered on a plateau or along a cosine.

In: an optimiser, the configuration, and how many steps there are. Out: rates that are set in the optimiser, and a state
of plain numbers by which an interrupted run goes on.
"""

import math
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR, LRScheduler, ReduceLROnPlateau
from transformers.optimization import get_cosine_schedule_with_warmup

from geolocate.training.config import TrainConfig

#: What of each schedule changes as training goes on.
_EPOCHS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch", "_last_lr")
_STEPS = ("last_epoch", "_step_count", "_last_lr")


class Schedule:
    """Called after each step and after each epoch."""

    def __init__(self, optimizer: Optimizer, config: TrainConfig, steps: int) -> None:
        """Prepare for ``steps`` steps in all, which is how long a cosine is."""
        self._optimizer = optimizer
        self._by_step: LRScheduler | None = None
        self._by_epoch: ReduceLROnPlateau | None = None
        warmup = config.warmup_steps
        if config.schedule == "cosine":
            # The step after the last would have rate 0; the first of a warm-up has one, so that no step is in vain.
            self._by_step = get_cosine_schedule_with_warmup(optimizer, warmup, steps)
        elif warmup:
            self._by_step = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        if config.schedule == "plateau":
            self._by_epoch = ReduceLROnPlateau(
                optimizer, factor=config.schedule_factor, patience=config.schedule_patience
            )

    def after_step(self) -> None:
        """Move on by a step of the optimiser."""
        if self._by_step is not None:
            self._by_step.step()

    def after_epoch(self, val_loss: float) -> None:
        """Move on by an epoch that ended with this loss on val ground."""
        if self._by_epoch is not None:
            self._by_epoch.step(val_loss)

    def state(self) -> dict[str, Any]:
        """The learning rates, and where the schedule is."""
        by_step = self._by_step.state_dict() if self._by_step else {}
        # Before the first epoch the best loss is infinite, which JSON has no word for.
        by_epoch = self._by_epoch.state_dict() if self._by_epoch and math.isfinite(self._by_epoch.best) else {}
        return {
            "lr": [group["lr"] for group in self._optimizer.param_groups],
            "steps": {name: by_step[name] for name in _STEPS if name in by_step},
            "epochs": {name: by_epoch[name] for name in _EPOCHS if name in by_epoch},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Become again what ``state()`` described."""
        for group, rate in zip(self._optimizer.param_groups, state["lr"], strict=True):
            group["lr"] = rate
        for one, name in ((self._by_step, "steps"), (self._by_epoch, "epochs")):
            if one is not None:
                one.load_state_dict({**one.state_dict(), **state[name]})
