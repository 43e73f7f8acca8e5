import copy
import io

from rich.console import Console

from geolocate.evaluation import compare
from geolocate.reporting import comparison_markdown, comparison_table, results_markdown, results_table, verdicts
from geolocate.reporting.tables import cell_of, metric_of
from tests.evaluation.trained import RUNS


def _printed(table):
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def test_the_terminal_shows_the_model_beside_every_chance_and_names_the_world(evaluated):
    text = _printed(results_table(evaluated[0]))
    assert "(emulated world)" in text
    for label in (
        "blocked test",
        "probability sample (weighted)",
        "model",
        "uniform",
        "prior",
        "best constant",
        "accuracy, macro",
        "within 750 km",
        "geoscore_uk",
    ):
        assert label in text


def test_markdown_has_a_line_for_each_metric_in_a_fixed_order(evaluated):
    lines = results_markdown(evaluated[0]).splitlines()
    blocked, sample = lines.index("Blocked test:"), lines.index("Probability sample (weighted):")
    body = [line for line in lines[blocked:sample] if line.startswith("| ")][2:]
    assert len(body) == len(evaluated[0]["metrics"])
    assert [line.split("|")[1] for line in body] == [line.split("|")[1] for line in lines[sample + 4 :][: len(body)]]
    assert body[0].startswith("| accuracy, micro | % |")
    assert body[3].startswith("| mean distance | km |")


def test_shares_are_percent_and_intervals_follow():
    cell = cell_of(metric_of("accuracy"), {"value": 0.1234, "low": 0.1, "high": 0.15})
    assert str(cell) == "12.3 [10.0, 15.0]"
    assert str(cell_of(metric_of("mean_km"), {"value": 83.25, "low": None, "high": None})) == "83.2"


def test_a_smaller_distance_is_better_and_a_smaller_accuracy_is_worse(evaluated):
    metrics = copy.deepcopy(evaluated[0])
    metrics["paired"]["mean_km"]["best_constant"] = {"value": -50.0, "low": -60.0, "high": -40.0}
    metrics["paired"]["mean_km"]["prior"] = {"value": -5.0, "low": -20.0, "high": 10.0}
    metrics["paired"]["accuracy"]["prior"] = {"value": -0.1, "low": -0.2, "high": -0.05}
    best, prior, accuracy = verdicts(metrics)
    assert best == "mean distance against best constant: −50.0 km [−60.0, −40.0], better."
    assert prior.endswith("not told apart from it.")
    assert accuracy == "accuracy, micro against prior: −10.0 points [−20.0, −5.0], worse."


def test_runs_side_by_side_show_their_difference_and_chance(root, evaluated):
    compared = compare(root, RUNS)
    text = comparison_markdown(compared)
    assert "| metric | unit | cities-s0 | cities-s1 | cities-s1 − cities-s0 | uniform | prior | best constant |" in text
    assert "(emulated world)" in text
    assert "mean distance" in _printed(comparison_table(compared))
