"""The table of several runs side by side, beside chance.

In: what ``compare`` returned. Out: a table for the terminal, and one in Markdown.
"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from geolocate.evaluation.metrics import metric_names
from geolocate.reporting.tables import EMULATED, SYSTEMS, cell_of, markdown_row, metric_of, signed_cell

#: Below this many seeds a recipe, nothing is known of the noise of training.
LEAST_SEEDS = 5


def comparison_rows(comparison: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows: each run, each run − the first, each chance."""
    runs, first = comparison["runs"], comparison["runs"][0]
    chances = [name for name in SYSTEMS if name != "model"]
    head = ["metric", "unit", *runs, *(f"{run} − {first}" for run in runs[1:]), *(SYSTEMS[name] for name in chances)]
    rows = []
    for name in metric_names(comparison["region"]):
        metric, values, paired = metric_of(name), comparison["metrics"][name], comparison["paired"][name]
        cells = [str(cell_of(metric, values[run])) for run in runs]
        differences = [str(signed_cell(metric, paired[run])) for run in runs[1:]]
        rows.append(
            [
                metric.label,
                metric.unit,
                *cells,
                *differences,
                *(str(cell_of(metric, values[chance])) for chance in chances),
            ]
        )
    return head, rows


def comparison_title(comparison: Mapping[str, Any]) -> str:
    """Say what the table is about, and in which world."""
    world = EMULATED if comparison["world"] == "emulated" else "real world"
    dataset, counts = comparison["dataset"], comparison["counts"]
    return f"{dataset['name']}@{dataset['version']}, {counts['test_panoramas']} test panoramas ({world})"


def comparison_table(comparison: Mapping[str, Any]) -> Table:
    """Return the table for the terminal."""
    head, rows = comparison_rows(comparison)
    caption = "\n".join(comparison_notes(comparison))
    table = Table(title=comparison_title(comparison), caption=caption, caption_justify="left")
    for at, name in enumerate(head):
        table.add_column(name, justify="left" if at < 2 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def comparison_markdown(comparison: Mapping[str, Any]) -> str:
    """Return the table as Markdown, with its title."""
    head, rows = comparison_rows(comparison)
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    lines = [markdown_row(head), markdown_row(rule), *(markdown_row(row) for row in rows)]
    notes = [f"- {note}" for note in comparison_notes(comparison)]
    return "\n".join([f"**{comparison_title(comparison)}**", "", *lines, "", *notes]) + "\n"


def comparison_notes(comparison: Mapping[str, Any]) -> list[str]:
    """Say how the intervals were made, and what Holm's correction leaves of the differences in mean distance."""
    intervals, members = comparison["intervals"], comparison["members"]
    counts = {len(runs) for runs in members.values()}
    notes = [
        f"Brackets: {intervals['level']:.0%} intervals, {intervals['resamples']} bootstrap resamples by "
        f"{intervals['unit']}."
    ]
    if min(counts) < LEAST_SEEDS:
        notes.append(
            f"Fewer than {LEAST_SEEDS} seeds a recipe: the noise of training is not in the intervals, or only badly; "
            "train each recipe with the same five seeds before trusting a difference."
        )
    elif not comparison["seeds_paired"]:
        notes.append("The recipes have different seeds, so their runs are not paired.")
    return [*notes, *holm_notes(comparison)]


def holm_notes(comparison: Mapping[str, Any]) -> list[str]:
    """Say of each difference in mean distance whether it survives Holm's correction."""
    metric, first = metric_of("mean_km"), comparison["runs"][0]
    notes = []
    for run, difference in comparison["paired"]["mean_km"].items():
        if "p_holm" not in difference:
            continue
        held = {"value": difference["value"], "low": difference["holm_low"], "high": difference["holm_high"]}
        word = ("nearer" if difference["value"] < 0 else "farther") if difference["told_apart"] else "not told apart"
        notes.append(
            f"{run} − {first}, mean distance: {signed_cell(metric, held)} km after Holm over "
            f"{len(comparison['runs']) - 1}, p = {difference['p_holm']:.3f}: {word}."
        )
    return notes
