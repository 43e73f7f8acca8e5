"""`geolocate model evaluate` and `geolocate model compare`."""

import json
from typing import Annotated

import typer
from rich.console import Console

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")]


def register(model_app: typer.Typer) -> None:
    """Add both commands to the group of models."""
    model_app.command()(evaluate)
    model_app.command()(compare)


def evaluate(
    run: Annotated[str, typer.Argument(help="A finished run.")],
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Measure a run on its dataset's test panoramas, beside chance, and write its report.

    Example: geolocate model evaluate uk-cities-50-s0
    """
    from geolocate.evaluation import Bootstrap
    from geolocate.evaluation import evaluate as evaluate_run
    from geolocate.reporting import results_markdown, results_table, verdicts, write_report

    root = DataRoot(settings_from_environment().data)
    metrics = evaluate_run(root, run, bootstrap=Bootstrap(resamples, seed))
    report = write_report(root, run)
    if as_json:
        typer.echo(json.dumps(metrics, indent=2, sort_keys=True, ensure_ascii=False))
    elif as_markdown:
        typer.echo(results_markdown(metrics))
    else:
        console = Console()
        console.print(results_table(metrics))
        for verdict in verdicts(metrics):
            console.print(verdict, highlight=False, markup=False)
        console.print(f"report: {report}", highlight=False, soft_wrap=True)


def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more evaluated runs of one dataset version.")],
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Set evaluated runs side by side; the first is what the others are compared with.

    Example: geolocate model compare uk-cities-50-s0 uk-cities-50-s1
    """
    from geolocate.evaluation import compare as compare_runs
    from geolocate.reporting import comparison_markdown, comparison_table

    comparison = compare_runs(DataRoot(settings_from_environment().data), runs)
    if as_json:
        typer.echo(json.dumps(comparison, indent=2, sort_keys=True, ensure_ascii=False))
    elif as_markdown:
        typer.echo(comparison_markdown(comparison))
    else:
        Console().print(comparison_table(comparison))
