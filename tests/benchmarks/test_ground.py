"""The benchmark of the ground, in small: every stage does its work, and costs no more than in proportion."""

import time
from pathlib import Path

import pytest

from benchmarks.ground import STAGES
from geolocate.geography.regions import load_region

POINTS = (1000, 10_000)
#: Ten times the points in at most so many times the seconds; a stage with a loop over pairs would take a hundred.
MOST_RATIO = 25
#: On a busy machine seconds this short say nothing.
SHORT_S = 0.5


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_grows_with_its_points(stage: str, tmp_path: Path) -> None:
    region = load_region("uk")
    STAGES[stage](region, POINTS[0], tmp_path / "first")()  # reads and cuts the region
    seconds = []
    for points in POINTS:
        work = STAGES[stage](region, points, tmp_path)
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    assert seconds[1] < MOST_RATIO * max(seconds[0], SHORT_S / 10)
