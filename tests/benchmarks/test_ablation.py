"""The ablation in small: one task, three rungs, two seeds."""

import pytest

from benchmarks.ablation import Ladder, Rung, compared, jobs, work
from benchmarks.ablation_page import page
from benchmarks.ablation_tasks import Task
from geolocate.evaluation.fit_answering import AnsweringConfig
from tests.evaluation.trained import trained_root

TASK = Task("cities", "uk", "cities", per_place=30, top=6)
SMALL = {"pixels": 64, "epochs": 2}
STUDY = {"loss": "study", "temperature": 1.0, "select_by": "val_loss", **SMALL}
LADDER = Ladder(
    (
        Rung("study-recipe", STUDY),
        Rung("+ views", {"views": "all", **SMALL}),
        Rung("+ decoding", {"views": "all", **SMALL}, AnsweringConfig(neighbours=False), of="+ views"),
    )
)
FACTS = {"commit": "abc1234", "machine": "a machine", "runs": 6, "new": 6, "minutes": 1.0, "seeds": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = trained_root(tmp_path_factory.getbasetemp() / "trained")
    work(root, LADDER, 2, -1, (TASK,))
    return root


def _written(root):
    return {job.run(): (root.run(job.run()) / "metrics.json").stat().st_mtime_ns for job in jobs(LADDER, 2, (TASK,))}


def test_the_page_tells_what_each_rung_gave_and_what_was_missed(root):
    text = page(list(compared(root, LADDER, 2, (TASK,))), FACTS)
    assert text.count("## cities") == 1
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")] == [
        "",
        *(rung.name for rung in LADDER.rungs),
    ]
    assert "best is" in text
    assert "aimed at 0.6" in text
    assert "Emulated world" in text


def test_rungs_that_answer_otherwise_share_their_weights(root):
    views, decoded = ((root.run(f"cities.{name}.s1") / "checkpoint.safetensors") for name in ("views", "decoding"))
    assert views.read_bytes() == decoded.read_bytes()


def test_what_is_finished_is_not_done_again(root):
    before = _written(root)
    work(root, LADDER, 2, -1, (TASK,))
    assert _written(root) == before
    (root.run("cities.decoding.s0") / "metrics.json").unlink()
    work(root, LADDER, 2, -1, (TASK,))
    after = _written(root)
    assert [run for run in before if after[run] != before[run]] == ["cities.decoding.s0"]
