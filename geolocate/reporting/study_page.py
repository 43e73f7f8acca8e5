"""The study's table reproduced, for the terminal, as Markdown and as a page.

In: what ``study_table`` returned, and comparisons of one dataset version each. Out: a table, Markdown, one HTML file
without links or scripts. Figures that others published of real images stand in a part of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from geolocate.evaluation.study import PUBLISHED, SHOWN, UNKNOWN
from geolocate.reporting.comparison import comparison_notes, comparison_rows, comparison_title
from geolocate.reporting.page import render
from geolocate.reporting.tables import EMULATED, cell_of, markdown_row, metric_of, signed_cell
from geolocate.storage import atomic_write

_HEAD = ("system", *(f"{metric_of(name).label}, {metric_of(name).unit}" for name in SHOWN))


def study_rows(study: Mapping[str, Any]) -> Iterator[tuple[str, list[list[str]]]]:
    """Give for each task and dataset version its title and its rows: the system, then a cell a metric of ``SHOWN``.

    A row that was not run has one cell that says so.
    """
    for task in study["tasks"]:
        if not task["tables"]:
            yield task["title"], [_cells(row) for row in task["missing"]]
        for table in task["tables"]:
            yield f"{task['title']}: {comparison_title(table['compared'])}", [_cells(row) for row in table["rows"]]


def _cells(row: Mapping[str, Any]) -> list[str]:
    if "not_run" in row:
        return [row["label"], f"not run: {row['not_run']}"]
    return [row["label"], *(str(cell_of(metric_of(name), row["values"][name])) for name in SHOWN)]


def systems_shown(systems: Mapping[str, Any]) -> Table:
    """Return the rows that were run of one dataset version's systems, for the terminal."""
    table = Table(title=comparison_title(systems["compared"]))
    for at, name in enumerate(_HEAD):
        table.add_column(name, justify="left" if at == 0 else "right", overflow="fold")
    for row in _run(systems):
        table.add_row(*row)
    return table


def systems_markdown(systems: Mapping[str, Any]) -> str:
    """Return the same as Markdown."""
    lines = [
        markdown_row(list(_HEAD)),
        markdown_row(["---", *["---:"] * len(SHOWN)]),
        *map(markdown_row, _run(systems)),
    ]
    notes = [f"- {note}" for note in comparison_notes(systems["compared"])]
    return "\n".join([f"**{comparison_title(systems['compared'])}**", "", *lines, "", *notes]) + "\n"


def _run(systems: Mapping[str, Any]) -> list[list[str]]:
    return [_cells(row) for row in systems["rows"] if "values" in row]


def difference_line(systems: Mapping[str, Any], run: str, name: str) -> str:
    """Say by how much a run's mean distance differs from the first one's, which is called ``name``."""
    metric, difference = metric_of("mean_km"), systems["compared"]["paired"]["mean_km"][run]
    told = "not told apart from it"
    if difference["low"] is not None and not difference["low"] <= 0 <= difference["high"]:
        told = "better" if difference["value"] < 0 else "worse"
    return f"mean distance against {name}: {signed_cell(metric, difference)} km, {told} (one seed)."


def study_table_shown(study: Mapping[str, Any]) -> Table:
    """Return the table for the terminal."""
    table = Table(title=f"the study's tasks ({_world(study)})")
    for at, name in enumerate(_HEAD):
        table.add_column(name, justify="left" if at == 0 else "right", overflow="fold")
    for title, rows in study_rows(study):
        table.add_section()
        if all(len(row) == 2 for row in rows):
            # A terminal is small: Markdown and the page have a line for each system.
            table.add_row(f"[bold]{title}[/bold]", "not run: none of the runs named")
            continue
        table.add_row(f"[bold]{title}[/bold]")
        for row in rows:
            table.add_row(*row)
    return table


def study_markdown(study: Mapping[str, Any]) -> str:
    """Return a table a task as Markdown, then what others published."""
    lines = [f"**The study's tasks ({_world(study)})**"]
    for title, rows in study_rows(study):
        rule = ["---", *["---:"] * len(SHOWN)]
        padded = [[*row, *[""] * (len(_HEAD) - len(row))] for row in rows]
        lines += ["", f"{title}:", "", *(markdown_row(list(row)) for row in (_HEAD, rule, *padded))]
    lines += ["", "Published by others, of real images; nothing below was measured here:", ""]
    head = list(asdict(PUBLISHED[0]))
    names = [name.replace("_", " ") for name in head]
    lines += [markdown_row(names), markdown_row(["---"] * len(names))]
    lines += [markdown_row(list(asdict(one).values())) for one in PUBLISHED]
    return "\n".join([*lines, "", "Not known of the study:", "", *(f"- {one}" for one in UNKNOWN)]) + "\n"


def write_study_page(path: Path, study: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]]) -> Path:
    """Write the page: the study's table, each comparison of one dataset version, what others published."""
    sections = []
    for comparison in comparisons:
        head, rows = comparison_rows(comparison)
        notes = comparison_notes(comparison)
        sections.append({"title": comparison_title(comparison), "head": head, "rows": rows, "notes": notes})
    content = {
        "title": f"Comparison ({_world(study)})",
        "emulated": study["world"] == "emulated",
        "head": _HEAD,
        "tasks": [{"title": title, "rows": rows} for title, rows in study_rows(study)],
        "others": study["others"],
        "comparisons": sections,
        "published": [asdict(one) for one in PUBLISHED],
        "unknown": UNKNOWN,
    }
    with atomic_write(path) as file:
        file.write(render("comparison.html.j2", content).encode())
    return path


def _world(study: Mapping[str, Any]) -> str:
    if study["world"] != "emulated":
        return "real world"
    return f"{EMULATED}, version {study['world_version']}"
