"""Search over training settings: Optuna proposes, a trial is trained, its figures on val ground are told back.

In: a dataset version and the configuration to start from. Out: ``runs/<sweep>/``:

``sweep.json``     what the sweep was started with
``trials.sqlite``  Optuna's own record, written after every epoch; a killed sweep goes on in the trial it was in
``trials.csv``     one row a trial, when the sweep is over
``chosen.json``    the best trial's configuration: ``geolocate model train --config chosen.json``

Each trial is an ordinary run, ``<sweep>-t<number>``. Only train and val rows are read; the test ground never is.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
import pandas as pd
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, ConfigDict, Field

from geolocate.dataset.versions import DatasetRef, DatasetVersion
from geolocate.errors import CheckpointError, SettingsError
from geolocate.storage import DataRoot, atomic_write, read_json, write_json
from geolocate.training.config import TrainConfig
from geolocate.training.loop import TrainProgress, Validate, train

logger = logging.getLogger(__name__)

Outcome = Literal["trained", "pruned", "failed"]
_OUTCOMES: dict[TrialState, Outcome] = {
    TrialState.COMPLETE: "trained",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
#: Trials before any is pruned, and epochs before a trial is: early figures say little.
_WARM_TRIALS, _WARM_EPOCHS = 4, 3
#: Failures at the start after which the fault is not in what was proposed.
_FIRST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Span:
    """The values that are tried of one setting; ``log``: evenly by their logarithm."""

    low: float
    high: float
    log: bool = False

    def reaching(self, value: float) -> "Span":
        """Give the span, widened so that it holds a value."""
        return Span(min(self.low, value) if value or not self.log else self.low, max(self.high, value), self.log)


#: What the study tuned. Which values it tried is not known; these lie around the defaults.
SPACE: Mapping[str, Span] = {
    "weight_decay": Span(1e-5, 1e-1, log=True),
    "schedule_patience": Span(0, 5),
    "schedule_factor": Span(0.3, 0.95),
    "lr_heads": Span(1e-4, 1e-2, log=True),
    "lr_image": Span(1e-6, 1e-3, log=True),
    "lr_text": Span(1e-7, 1e-4, log=True),
}


class SweepConfig(BaseModel):
    """How long to search, and from where: ``base`` is the first trial, so that nothing worse than it is chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: TrainConfig = Field(default_factory=TrainConfig)
    trials: int = Field(default=20, ge=1, le=10_000)
    #: Of what is proposed; the trials' own seed is that of ``base``.
    seed: int = Field(default=0, ge=0, lt=2**31)

    @property
    def space(self) -> dict[str, Span]:
        """What can be tried, the base's own value included; a frozen encoder's learning rate would change nothing."""
        idle = {"lr_image": self.base.freeze_image, "lr_text": self.base.freeze_text}
        return {
            name: span.reaching(getattr(self.base, name)) for name, span in SPACE.items() if not idle.get(name, False)
        }


@dataclass(frozen=True, slots=True)
class Trial:
    """One proposal: its number, the run that it is trained as, and its configuration."""

    number: int
    run: str
    config: TrainConfig


class Sweep:
    """A search that any number of calls, one after another, bring forward: ``ask``, then ``run``, until nothing."""

    def __init__(self, root: DataRoot, name: str, dataset: DatasetVersion, config: SweepConfig) -> None:
        """Begin a sweep, or go on with one. Raises CheckpointError when the name is another sweep's."""
        self.root, self.name, self.dataset, self.config = root, name, dataset, config
        self.folder = root.run(name)
        self._write_card()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            storage=f"sqlite:///{self.folder.resolve()}/trials.sqlite",
            study_name=name,
            load_if_exists=True,
            pruner=MedianPruner(_WARM_TRIALS, _WARM_EPOCHS),
        )

    def _write_card(self) -> None:
        card = {"dataset": asdict(self.dataset.ref), **self.config.model_dump(mode="json", exclude={"trials"})}
        path = self.folder / "sweep.json"
        if (self.folder / "config.json").exists():
            raise CheckpointError(f"{self.name!r} is a training run: choose another name for the sweep")
        if path.exists():
            before = read_json(path)
            changed = [key for key in card if before.get(key) != card[key]]
            if changed:
                raise CheckpointError(
                    f"sweep {self.name!r} was started with another {changed[0]}: choose another name, or delete "
                    f"{self.folder}"
                )
        write_json(path, card)

    def ask(self) -> Trial | None:
        """Give the trial that was broken off, or the next one; nothing when there were enough."""
        trials = [trial for trial in self._trials() if trial.state != TrialState.WAITING]
        broken_off = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
        if broken_off:
            return self._proposed(broken_off[0])
        if len(trials) >= self.config.trials:
            return None
        if not self._trials():
            self._study.enqueue_trial({name: getattr(self.config.base, name) for name in self.config.space})
        return self._proposed(self._study.ask().number)

    def _proposed(self, number: int) -> Trial:
        # Seeded by the number, not by who asks: a sweep that was broken off proposes what it would have proposed.
        self._study.sampler = TPESampler(seed=(self.config.seed * 1_000_003 + number) % 2**32)
        proposed = self._open(number)
        for name, span in self.config.space.items():
            if isinstance(getattr(self.config.base, name), int):
                proposed.suggest_int(name, int(span.low), int(span.high))
            else:
                proposed.suggest_float(name, span.low, span.high, log=span.log)
        return self.trial(number)

    def trial(self, number: int) -> Trial:
        """Give a trial that was asked for before, for another process to run."""
        trials = self._trials()
        if number >= len(trials):
            raise SettingsError(f"sweep {self.name!r} has {len(trials)} trials, not a trial {number}")
        return self._trial(trials[number])

    def _trial(self, frozen: FrozenTrial) -> Trial:
        config = TrainConfig.model_validate(self.config.base.model_dump() | frozen.params)
        return Trial(frozen.number, f"{self.name}-t{frozen.number:03d}", config)

    def run(self, trial: Trial, validate: Validate, progress: TrainProgress | None = None) -> Outcome:
        """Train a trial and tell what came of it; its curve is compared with the others' after each epoch.

        A trial that does not get on as well as half of the others did is broken off, and its run deleted. A
        configuration that cannot be trained is a failed trial, unless the first three all are: then the error is
        raised.
        """
        watch = _Watch(
            self._open(trial.number), self.root.run(trial.run) / "curves.csv", trial.config.select_by, progress
        )
        try:
            trained = train(self.root, self.dataset, trial.config, trial.run, watch, validate)
        except _PrunedError:
            return self._tell(trial, TrialState.PRUNED)
        except SettingsError as error:
            logger.warning("trial %d failed: %s", trial.number, error)
            outcome = self._tell(trial, TrialState.FAIL)
            if trial.number + 1 >= _FIRST_FAILURES and not self._any_good():
                raise
            return outcome
        best = trained.curves[trial.config.select_by].min()
        return self._tell(trial, TrialState.COMPLETE, float(best))

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _open(self, number: int) -> optuna.Trial:
        # The trial as Optuna knows it, whichever process had asked for it.
        return optuna.Trial(self._study, self._trials()[number]._trial_id)

    def _tell(self, trial: Trial, state: TrialState, value: float | None = None) -> Outcome:
        self._study.tell(trial.number, value, state=state, skip_if_finished=True)
        if state != TrialState.COMPLETE:
            shutil.rmtree(self.root.run(trial.run), ignore_errors=True)
        return _OUTCOMES[state]

    def _any_good(self) -> bool:
        return any(trial.state != TrialState.FAIL for trial in self._trials())

    def table(self) -> pd.DataFrame:
        """What there is of each trial: ``number, outcome, epochs``, its figure (less is better) and its settings."""
        rows = [
            {
                "number": trial.number,
                "outcome": _OUTCOMES.get(trial.state, "begun"),
                "epochs": len(trial.intermediate_values),
                self.config.base.select_by: _figure(trial),
                **trial.params,
            }
            for trial in self._trials()
        ]
        return pd.DataFrame(rows)

    def curves(self) -> Iterator[tuple[int, Outcome | None, dict[int, float]]]:
        """Give each trial's number, outcome, and figure by epoch."""
        for trial in self._trials():
            yield trial.number, _OUTCOMES.get(trial.state), dict(sorted(trial.intermediate_values.items()))

    def finish(self) -> Trial:
        """Write the table and the chosen configuration, and give the chosen trial.

        Raises SettingsError when no trial was trained to its end.
        """
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not done:
            raise SettingsError(f"no trial of sweep {self.name!r} was trained to its end: allow more trials")
        chosen = self._trial(min(done, key=lambda trial: (trial.value, trial.number)))
        with atomic_write(self.folder / "trials.csv") as file:
            file.write(self.table().to_csv(index=False).encode())
        write_json(self.folder / "chosen.json", chosen.config.model_dump(mode="json"))
        return chosen


def _figure(trial: FrozenTrial) -> float | None:
    """The best figure that a trial reached, also where it was broken off."""
    return min(trial.intermediate_values.values(), default=trial.value)


def default_sweep_name(dataset: DatasetRef, config: SweepConfig) -> str:
    """Name a sweep after what it is made of, so that the same command finds it again; more trials are the same one."""
    digest = hashlib.sha256(config.model_dump_json(exclude={"trials"}).encode()).hexdigest()[:6]
    return f"{dataset.name[:60]}-{dataset.version[:8]}-sweep-{digest}"


class _PrunedError(Exception):
    """A trial is not worth going on with."""


@dataclass
class _Watch:
    """Hands a training's progress on, and its curve to Optuna."""

    trial: optuna.Trial
    curves: Path
    select_by: str
    progress: Callable[[str, int, int], Any] | None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(stage, done, total)
        if stage != "epochs":
            return
        curve = pd.read_csv(self.curves)[self.select_by]
        known = self.trial.storage.get_trial(self.trial._trial_id).intermediate_values
        for epoch, value in enumerate(curve, start=1):
            # A run that goes on has told its first epochs before.
            if epoch not in known:
                self.trial.report(float(value), epoch)
        if done < total and self.trial.should_prune():
            raise _PrunedError
