"""The table of several runs side by side, beside chance.

In: what ``compare`` returned. Out: a table for the terminal, and one in Markdown.
"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from geolocate.evaluation.metrics import metric_names
from geolocate.reporting.tables import EMULATED, SYSTEMS, cell_of, markdown_row, metric_of, signed_cell


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
    table = Table(title=comparison_title(comparison))
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
    return "\n".join([f"**{comparison_title(comparison)}**", "", *lines]) + "\n"
