"""The table of results: the model beside uniform, prior and best constant, with intervals.

In: what ``evaluate`` wrote. Out: the same cells for the terminal, for Markdown and for the report.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from geolocate.evaluation.metrics import metric_names

SYSTEMS = {
    "model": "model",
    "uniform": "uniform",
    "prior": "prior",
    "best_constant": "best constant",
}

BLOCKED, SAMPLE = "blocked test", "probability sample (weighted)"

_SHORT = ("accuracy", "accuracy_macro", "mean_km", "median_km", "within_25_km", "within_200_km")

#: Said wherever a figure comes from the emulator.
EMULATED = "emulated world"


@dataclass(frozen=True, slots=True)
class Metric:
    """How one metric is shown: its label, its unit, and whether more of it is better."""

    label: str
    unit: str
    more_is_better: bool
    show: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value with its interval, as text."""

    value: str
    interval: str

    def __str__(self) -> str:
        return f"{self.value} {self.interval}".strip()


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of all systems."""

    metric: Metric
    cells: dict[str, Cell]


def metric_of(name: str) -> Metric:
    """Return how the metric of this name is shown."""
    if name.startswith("within_"):
        return Metric(f"within {name.split('_')[1]} km", "%", more_is_better=True, show=_percent)
    if name.startswith("geoscore_"):
        return Metric(f"GeoScore of the region ({name})", "0–5000", more_is_better=True, show=_whole)
    return {
        "accuracy": Metric("accuracy, micro", "%", more_is_better=True, show=_percent),
        "accuracy_macro": Metric("accuracy, macro", "%", more_is_better=True, show=_percent),
        "accuracy_top5": Metric("accuracy, top 5", "%", more_is_better=True, show=_percent),
        "mean_km": Metric("mean distance", "km", more_is_better=False, show=_tenth),
        "median_km": Metric("median distance", "km", more_is_better=False, show=_tenth),
        "geoscore": Metric("GeoScore of the world", "0–5000", more_is_better=True, show=_whole),
    }[name]


def test_sets(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the metrics of each test set that there is, by its label; the blocked test is the first."""
    sample = metrics.get("sample")
    return {BLOCKED: metrics, **({SAMPLE: {**metrics, **sample}} if sample else {})}


def result_lines(metrics: Mapping[str, Any], *, short: bool = False) -> list[Line]:
    """Return the lines of the table in the order of ``metric_names``, or the few that matter most."""
    return [
        Line(
            metric_of(name),
            {system: cell_of(metric_of(name), metrics["metrics"][name][system]) for system in SYSTEMS},
        )
        for name in metric_names(metrics["region"])
        if not short or name in _SHORT or name == f"geoscore_{metrics['region']}"
    ]


def cell_of(metric: Metric, value: Mapping[str, Any]) -> Cell:
    """Return a value and its interval as text; the interval is empty where it cannot be told."""
    shown = metric.show(value["value"])
    if value["low"] is None or value["high"] is None:
        return Cell(shown, "")
    return Cell(shown, f"[{metric.show(value['low'])}, {metric.show(value['high'])}]")


def signed_cell(metric: Metric, difference: Mapping[str, Any]) -> Cell:
    """Return a difference and its interval as text, with signs."""
    shown = _signed(metric, difference["value"])
    if difference["low"] is None or difference["high"] is None:
        return Cell(shown, "")
    return Cell(shown, f"[{_signed(metric, difference['low'])}, {_signed(metric, difference['high'])}]")


def markdown_row(cells: list[str]) -> str:
    """Return one row of a Markdown table; a bar inside a cell is escaped."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def title_of(metrics: Mapping[str, Any]) -> str:
    """Say what the table is about, and in which world."""
    world = EMULATED if metrics["world"] == "emulated" else "real world"
    dataset = metrics["dataset"]
    return f"{metrics['run']} on {dataset['name']}@{dataset['version']} ({world})"


def footnotes(metrics: Mapping[str, Any]) -> list[str]:
    """Return what must be known to read the table."""
    counts, intervals = metrics["counts"], metrics["intervals"]
    prior, best = metrics["chance"]["prior_class"], metrics["chance"]["best_constant"]
    seed = "" if metrics["seed"] is None else f"; training seed {metrics['seed']}"
    notes = [
        f"{BLOCKED.capitalize()}: {counts['test_panoramas']} panoramas of {counts['classes']} classes in "
        f"{intervals['blocks']} ground blocks; distances go to each panorama's own position.",
        f"Brackets: {intervals['level']:.0%} intervals, {intervals['resamples']} bootstrap resamples by "
        f"{intervals['unit']}{seed}.",
        f"Chance, from training places only: uniform names a random class, prior always {prior}, "
        f"best constant always {best['lat']:.2f}, {best['lon']:.2f}.",
        *answer_notes(metrics),
    ]
    if metrics["classes_without_test"]:
        missing = len(metrics["classes_without_test"])
        notes.append(f"{missing} classes have no test panorama and do not count in macro accuracy.")
    if metrics["world"] == "emulated":
        notes.append("The pictures were drawn by the emulator: the figures say nothing about real imagery.")
    return [*notes, *sample_notes(metrics), *probe_notes(metrics), *reading_notes(metrics)]


def answer_notes(metrics: Mapping[str, Any]) -> list[str]:
    """Say how positions and classes came about, and what was not answered."""
    notes, mean_km = [], metrics["metrics"]["mean_km"]
    if "model_argmax" in mean_km:
        notes.append(
            f"Distances decode the posterior to the point of least expected distance; by the most probable class's "
            f"position the mean is {mean_km['model_argmax']['value']:.1f} km."
        )
    if metrics.get("class_from") == "the nearest class":
        notes.append("The file names no classes: accuracy is by the class nearest to each predicted position.")
    if metrics.get("unanswered"):
        notes.append(f"{metrics['unanswered']} test panoramas had no answer and got the best constant's.")
    return notes


def probe_notes(metrics: Mapping[str, Any]) -> list[str]:
    """Say whether what does not show the place tells it all the same; such a shortcut may explain the results."""
    probes = metrics.get("probes")
    if not probes or not probes["results"]:
        return [f"Shortcuts were not probed: {probes['reason']}." if probes else "Shortcuts were not probed."]
    prior = probes["chance"]["prior"]
    found = [f"{one['title']} ({one['accuracy']:.1%})" for one in probes["results"] if one["above"] or one["nearer"]]
    if found:
        return [f"Shortcuts: the class or place is told above chance (prior {prior:.1%}) by {', '.join(found)}."]
    names = ", ".join(one["title"] for one in probes["results"])
    return [f"Shortcuts: none of the probes tells the class above chance (prior {prior:.1%}): {names}."]


def reading_notes(metrics: Mapping[str, Any]) -> list[str]:
    """Say how often the test ground was looked at: what is read often is fitted in the end."""
    reads = metrics.get("test_reads")
    if not reads:
        return []
    own = "once" if reads["run"] == 1 else f"{reads['run']} times"
    return [f"The test ground was read {own} for this result, and {reads['dataset_version']} times in all."]


def sample_notes(metrics: Mapping[str, Any]) -> list[str]:
    """Return what must be known to read the probability sample's figures; nothing where there is none."""
    sample = metrics.get("sample")
    if not sample:
        return []
    counts = sample["counts"]
    strange = counts["of_untrained_classes"]
    return [
        f"{SAMPLE.capitalize()}: {counts['panoramas']} panoramas (as many as {sample['effective_panoramas']:.0f} of "
        f"equal weight) in {counts['blocks']} ground blocks, each weighted by the land that it stands for in "
        f"{sample['frame']}; they may stand beside training ground and share its drives, "
        f"{counts['also_blocked_test']} are blocked test panoramas as well"
        + (f", {strange} of classes without a training place count as wrong." if strange else ".")
    ]


def verdicts(metrics: Mapping[str, Any]) -> list[str]:
    """Say in a sentence each whether the model beats chance, by the paired intervals."""
    asked = (("mean_km", "best_constant"), ("mean_km", "prior"), ("accuracy", "prior"))
    return [_verdict(metrics, metric, chance) for metric, chance in asked]


def results_table(metrics: Mapping[str, Any]) -> Table:
    """Return the table for the terminal."""
    table = Table(title=title_of(metrics), caption="\n".join(footnotes(metrics)), caption_justify="left")
    table.add_column("metric")
    table.add_column("unit")
    for label in SYSTEMS.values():
        table.add_column(label, justify="right")
    for label, of_set in test_sets(metrics).items():
        table.add_section()
        table.add_row(f"[bold]{label}[/bold]")
        # A terminal is small: the rest of the sample's figures is in metrics.json, Markdown and the report.
        for line in result_lines(of_set, short=label == SAMPLE):
            table.add_row(line.metric.label, line.metric.unit, *(str(line.cells[system]) for system in SYSTEMS))
    return table


def results_markdown(metrics: Mapping[str, Any]) -> str:
    """Return a table for each test set as Markdown, with their title and footnotes."""
    lines = [f"**{title_of(metrics)}**"]
    for label, of_set in test_sets(metrics).items():
        lines += ["", f"{label[0].upper()}{label[1:]}:", "", *_markdown_table(of_set)]
    notes = [f"- {note}" for note in [*verdicts(metrics), *footnotes(metrics)]]
    return "\n".join([*lines, "", *notes]) + "\n"


def _markdown_table(of_set: Mapping[str, Any]) -> list[str]:
    head = [markdown_row(["metric", "unit", *SYSTEMS.values()]), markdown_row(["---", "---", *["---:"] * len(SYSTEMS)])]
    rows = [
        markdown_row([line.metric.label, line.metric.unit, *(str(line.cells[system]) for system in SYSTEMS)])
        for line in result_lines(of_set)
    ]
    return [*head, *rows]


def _verdict(metrics: Mapping[str, Any], name: str, chance: str) -> str:
    metric, difference = metric_of(name), metrics["paired"][name][chance]
    low, high = difference["low"], difference["high"]
    # A difference of shares is one of percentage points.
    unit = "points" if metric.unit == "%" else metric.unit
    cell = signed_cell(metric, difference)
    against = f"{metric.label} against {SYSTEMS[chance]}: {cell.value} {unit}"
    if low is None or high is None:
        return f"{against}; one ground block gives no interval."
    better = low > 0 if metric.more_is_better else high < 0
    worse = high < 0 if metric.more_is_better else low > 0
    word = "better" if better else "worse" if worse else "not told apart from it"
    return f"{against} {cell.interval}, {word}."


def _signed(metric: Metric, value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "") + metric.show(abs(value))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _tenth(value: float) -> str:
    return f"{value:.1f}"


def _whole(value: float) -> str:
    return f"{value:.0f}"
