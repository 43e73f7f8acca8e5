"""Figures and the self-contained report."""

from geolocate.reporting.comparison import comparison_markdown, comparison_table
from geolocate.reporting.report import write_report
from geolocate.reporting.tables import results_markdown, results_table, verdicts

__all__ = [
    "comparison_markdown",
    "comparison_table",
    "results_markdown",
    "results_table",
    "verdicts",
    "write_report",
]
