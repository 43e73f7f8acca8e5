"""Orchestration's share is what the library's own work does not cover."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.timing import LibraryClock


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)).map(sorted).map(tuple), min_size=1))
def test_the_share_lies_between_0_and_1_and_overlaps_count_once(intervals):
    clock = LibraryClock(started=0.0, intervals=list(intervals))
    if max(end for _, end in intervals) < 1e-6:
        return
    share = clock.orchestration_share()
    assert -1e-9 <= share <= 1
    clock.intervals += intervals
    assert clock.orchestration_share() == pytest.approx(share)


def test_half_the_time_is_a_half():
    clock = LibraryClock(started=0.0, intervals=[(0.0, 2.0), (1.0, 3.0), (5.0, 6.0), (6.0, 8.0)])
    assert clock.orchestration_share() == pytest.approx(2 / 8)


def test_a_measured_call_returns_what_it_returned_and_counts_when_it_fails():
    clock = LibraryClock()
    assert clock.measures(sorted)([2, 1]) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        clock.measures(lambda: time.sleep(0.01) or 1 / 0)()
    assert len(clock.intervals) == 2


def test_reporting_to_the_server_within_a_call_is_the_orchestrators():
    clock = LibraryClock(started=0.0, intervals=[(0.0, 8.0)], reporting_seconds=2.0)
    assert clock.orchestration_share() == pytest.approx(2 / 8)
