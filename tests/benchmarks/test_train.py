"""The benchmarks of training, in small: each part does its work and gives the rows of its table."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import bench_gpu
from benchmarks.train import table
from benchmarks.train_knn import searches
from benchmarks.train_loader import loaders
from benchmarks.train_loop import loops
from benchmarks.train_open_clip import trainers


@pytest.fixture(autouse=True)
def _cores():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_loader_is_faster_than_image_folder(tmp_path: Path) -> None:
    theirs, first, later = loaders(tmp_path, count=96, rounds=1, workers=0)
    # Far below what the long form shows: a busy machine must not fail it, a loader that packs at each epoch must.
    assert later["ratio"] > 2
    assert later["images/s"] > first["images/s"]
    assert theirs["ratio"] == 1


def test_the_loop_and_the_cache_are_measured(tmp_path: Path) -> None:
    rows = loops(tmp_path, images=600, rounds=1, epochs=2, pictures=32)
    assert [row["part"] for row in rows] == ["(a) loop", "", "(d) cache", ""]
    assert rows[3]["ratio"] > 5
    assert all(row["images/s"] > 0 for row in rows)
    assert table(rows).count("\n") == 5


def test_both_trainers_train_a_model_of_open_clip(tmp_path: Path) -> None:
    theirs, ours = trainers(tmp_path, steps=1, rounds=1, batch=2, model="ViT-S-32-alt", workers=0)
    assert theirs["images/s"] > 0
    assert ours["ratio"] > 0.3


def test_approximate_search_finds_most_of_what_exact_search_finds() -> None:
    exact, approximate = searches(gallery=60_000, queries=50)
    assert exact["recall"] == 1
    assert approximate["recall"] > 0.7
    assert approximate["gb"] < 4


def test_the_benchmark_for_gpus_runs_on_the_processor() -> None:
    script = Path(bench_gpu.__file__)
    # One core: on a busy machine two would wait for each other.
    options = {"capture_output": True, "text": True, "check": True, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    done = subprocess.run([sys.executable, script, "--tiny"], **options)
    assert done.stdout.splitlines()[-1].split("|")[1:3] == [" 2 ", " fp32 "]
