import copy

import pytest

from geolocate.reporting import write_report
from geolocate.reporting.promises import promise_rows, refusal_lines
from tests.evaluation.trained import RUNS


@pytest.fixture
def answering(evaluated):
    return copy.deepcopy(evaluated[0]["answering"])


def test_the_report_says_what_was_promised_and_whether_it_held(root, evaluated, answering):
    html = write_report(root, RUNS[0]).read_text()
    for row in promise_rows(answering):
        assert f"<td>{row.promised}</td><td>{row.held}</td><td>{row.band}</td>" in html
    for one in answering["recall_by_area"]:
        assert f"{one['km2']:,.0f}</th><td>{100 * one['recall']:.1f}</td>" in html
    assert f"{answering['uncalibrated_ece']:.3f} for the run's own probabilities" in html
    assert refusal_lines(answering)[0] in html


@pytest.mark.parametrize(
    ("covered", "verdict"),
    [(0.89, "kept"), (0.6, "broken: too small"), (0.999, "broken: larger than need be")],
)
def test_a_promise_is_judged_by_its_band(answering, covered, verdict):
    answering["search_area"][-1] |= {"covered": covered, "low": 0.8, "high": 0.95, "promised": True}
    answering["search_area"][-1]["kept"] = 0.8 <= covered <= 0.95
    assert promise_rows(answering)[-1].verdict == verdict


def test_where_too_few_blocks_allow_no_promise_it_says_so(answering):
    answering["conformal"][-1]["promised"] = False
    row = promise_rows(answering)[1]
    assert (row.verdict, row.band) == ("not promised: too few calibration blocks", "none")


def test_a_run_that_refuses_nothing_says_so(answering):
    answering["refusal"]["refuse_below"] = []
    assert refusal_lines(answering) == [
        "This run refuses nothing: its calibration ground has too few blocks to find a limit."
    ]
