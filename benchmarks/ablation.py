"""Does each part of the models do what it should? One ablation over four tasks of the emulated world.

    python -m benchmarks.ablation [--root data/ablation] [--seeds 5] [--tasks uk-grid …] [--page docs/ablation.md]

Collects and encodes the tasks as far as they are not there (ablation_tasks.py), trains each rung of the ladder with
each seed, evaluates it on the blocked test ground, and writes the page. What is finished is not done again, so that a
killed run goes on. Two processes share the runs. Emulated world: it shows what the machinery does, and chooses no
default.
"""

import argparse
import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.ablation_page import page
from benchmarks.ablation_tasks import ROOT, TASKS, Task, prepare
from geolocate.dataset.versions import DatasetVersion, open_dataset
from geolocate.evaluation import evaluate
from geolocate.evaluation.answering import is_fitted
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.compare import EvaluatedRun, Recipe, check_comparable, compare_recipes, read_evaluated
from geolocate.evaluation.decoding import DEFAULT_DECODER
from geolocate.evaluation.fit_answering import STUDY, AnsweringConfig, fit_answering
from geolocate.evaluation.val_distance import val_distance
from geolocate.storage import DataRoot
from geolocate.training import TrainConfig, load_run, run_state, train

WORKERS = 2
#: What is trained and answered with unless told otherwise; the parts that are no default are left out.
DEFAULT = "the default"
#: The comparison draws its own resamples; those of the single runs are of no use here.
_FEW = Bootstrap(resamples=20)


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: what is trained, and how it answers. ``of`` names the rung whose weights it shares."""

    name: str
    train: dict[str, Any]
    answer: AnsweringConfig = STUDY
    of: str = ""


@dataclass(frozen=True)
class Ladder:
    """The rungs, each with all that the one before has: what changed is in its name."""

    rungs: tuple[Rung, ...] = field(default_factory=lambda: _rungs())

    def trained(self) -> list[Rung]:
        """The rungs that have weights of their own."""
        return [rung for rung in self.rungs if not rung.of]


def _rungs() -> tuple[Rung, ...]:
    # The study's recipe may train as long as ours does: its four epochs were for encoders that are tuned along.
    study = TrainConfig.study_recipe().model_dump(exclude_defaults=True) | {"epochs": TrainConfig().epochs}
    parts: dict[str, dict[str, Any]] = {
        "+ multi-positive": {},
        "+ views": {"views": "any"},
        # The better of two that were tried on val ground of the 50 cities (0.1 at 75 km), and kept for all tasks.
        "+ smoothing": {"haversine": 0.3, "tau_km": 25.0},
        "+ hierarchy": {"region": 0.1},
    }
    rungs, sum_of_parts = [Rung("study-recipe", study)], {}
    for name, part in parts.items():
        sum_of_parts = sum_of_parts | part
        rungs.append(Rung(name, sum_of_parts))
    last = rungs[-1]
    decoded = AnsweringConfig(decoder=DEFAULT_DECODER, calibrate=True, neighbours=False)
    rungs.append(Rung("+ decoding", last.train, decoded, of=last.name))
    rungs.append(Rung("+ kNN", last.train, AnsweringConfig(), of=last.name))
    rungs.append(Rung(DEFAULT, {}, AnsweringConfig(), of="+ multi-positive"))
    return tuple(rungs)


@dataclass(frozen=True)
class Job:
    """One rung of one task with one seed."""

    task: Task
    rung: Rung
    seed: int

    def run(self, rung: str | None = None) -> str:
        """The name of the run, or of that of another rung."""
        return f"{self.task.name}.{(rung or self.rung.name).removeprefix('+ ').replace(' ', '-')}.s{self.seed}"


def jobs(ladder: Ladder, seeds: int, tasks: Sequence[Task] = TASKS) -> list[Job]:
    """All runs, those first on whose weights others stand."""
    rungs = sorted(ladder.rungs, key=lambda rung: bool(rung.of))
    return [Job(task, rung, seed) for task in tasks for rung in rungs for seed in range(seeds)]


def do(root: DataRoot, job: Job, dataset: DatasetVersion) -> None:
    """Train and evaluate one job, as far as that was not done before."""
    folder = root.run(job.run())
    if (folder / "metrics.json").exists():
        return
    if job.rung.of and run_state(root, job.run()) != "finished":
        given = root.run(job.run(job.rung.of))
        left = shutil.ignore_patterns("answering.json", "gallery.*", "metrics.json", "*predictions.parquet")
        shutil.copytree(given, folder, ignore=left, dirs_exist_ok=True)
    config = TrainConfig(seed=job.seed, **job.rung.train)
    train(root, dataset, config, job.run(), validate=val_distance(dataset))
    if not is_fitted(load_run(root, job.run())):
        fit_answering(root, job.run(), job.rung.answer)
    evaluate(root, job.run(), bootstrap=_FEW)


def work(root: DataRoot, ladder: Ladder, seeds: int, share: int, tasks: Sequence[Task] = TASKS) -> None:
    """Do one process's share, or all below 0: seeds are dealt out, so that nobody waits for another's weights."""
    torch.set_num_threads(1)
    # Of five seeds one process has three in one task, and two in the next.
    todo = [
        job for job in jobs(ladder, seeds, tasks) if share < 0 or (tasks.index(job.task) + job.seed) % WORKERS == share
    ]
    datasets: dict[str, DatasetVersion] = {}
    for number, job in enumerate(todo, 1):
        if job.task.name not in datasets:
            datasets[job.task.name] = open_dataset(root, job.task.name)
        started = time.perf_counter()
        do(root, job, datasets[job.task.name])
        print(f"{number} of {len(todo)}: {job.run()}, {time.perf_counter() - started:.0f} s", flush=True)


def compared(root: DataRoot, ladder: Ladder, seeds: int, tasks: Sequence[Task] = TASKS) -> Iterator[dict[str, Any]]:
    """Compare the rungs of each task with the first of them, on the same test panoramas."""
    for task in tasks:
        recipes = []
        for rung in ladder.rungs:
            runs = [read_evaluated(root, Job(task, rung, seed).run()) for seed in range(seeds)]
            recipes.append(Recipe(rung.name, tuple(runs)))
        everyone: list[EvaluatedRun] = [run for recipe in recipes for run in recipe.runs]
        check_comparable(everyone)
        first = recipes[0].runs[0].metrics
        yield {
            "task": task.name,
            "world_version": first["world_version"],
            "against_first": compare_recipes(recipes),
            "against_before": [compare_recipes(pair) for pair in pairwise(recipes)],
        }


def main() -> None:
    """Do what is left to do, and write the page."""
    named = {task.name: task for task in TASKS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT / "data" / "ablation")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", default=list(named), choices=list(named))
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "ablation.md")
    parser.add_argument("--share", type=int, default=None, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    root, ladder, tasks = DataRoot(asked.root), Ladder(), [named[name] for name in asked.tasks]
    logging.getLogger("geolocate").setLevel(logging.WARNING)
    if asked.share is not None:
        return work(root, ladder, asked.seeds, asked.share, tasks)
    for task in tasks:
        prepare(root, task, print)
    started = time.perf_counter()
    everything = jobs(ladder, asked.seeds, tasks)
    before = sum((root.run(job.run()) / "metrics.json").exists() for job in everything)
    options = [sys.executable, "-m", "benchmarks.ablation", "--root", str(asked.root), "--seeds", str(asked.seeds)]
    options += ["--tasks", *asked.tasks]
    shares = [subprocess.Popen([*options, "--share", str(share)], env=_one_thread()) for share in range(WORKERS)]
    codes = [process.wait() for process in shares]
    if any(codes):
        sys.exit("a run failed, see above; the same command goes on")
    minutes = (time.perf_counter() - started) / 60
    facts = {
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no graphics card",
        "runs": len(everything),
        "new": len(everything) - before,
        "minutes": minutes,
        "seeds": asked.seeds,
    }
    asked.page.write_text(page(list(compared(root, ladder, asked.seeds, tasks)), facts))
    print(f"{asked.page} is written")
    return None


def _one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    main()
