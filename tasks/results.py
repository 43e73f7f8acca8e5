"""What the UI shows of a model's results.

Apart from ``artifacts``, because the tables of results stand on evaluation, and that on deep learning, which takes ten
seconds to import: flows that collect and refresh do without.
"""

from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from geolocate.reporting.study_page import systems_markdown
from geolocate.reporting.tables import footnotes, result_lines, test_sets, title_of, verdicts


def show_metrics(metrics: Mapping[str, Any]) -> None:
    """A table of the model beside chance."""
    rows = [
        {
            "test set": label,
            "metric": f"{line.metric.label} ({line.metric.unit})",
            **{name: str(cell) for name, cell in line.cells.items()},
        }
        for label, of_set in test_sets(metrics).items()
        for line in result_lines(of_set)
    ]
    notes = [title_of(metrics), *footnotes(metrics), *verdicts(metrics)]
    create_table_artifact(rows, key="metrics", description="\n\n".join(notes))


def show_comparison(systems: Mapping[str, Any]) -> None:
    """The systems of one dataset version beside chance."""
    create_markdown_artifact(systems_markdown(systems), key="comparison", description="The study's recipe and ours")
