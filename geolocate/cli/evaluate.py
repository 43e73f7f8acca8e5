"""`geolocate model evaluate`, `score`, `compare` and `promote`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from geolocate.cli import open_models
from geolocate.errors import SettingsError
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")]


def register(model_app: typer.Typer) -> None:
    """Add the commands to the group of models."""
    model_app.command()(evaluate)
    model_app.command()(score)
    model_app.command()(compare)
    model_app.command()(promote)


def evaluate(
    run: Annotated[str | None, typer.Argument(help="A finished run; or none, and open models with --model.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="openai-clip, streetclip or geoclip; may be given several times.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="With --model: the region whose one dataset is meant.")] = None,
    dataset: Annotated[str | None, typer.Option(help="With --model: NAME or NAME@VERSION.")] = None,
    weights: Annotated[Path | None, typer.Option(help="With --model: its folder; the hub's cache if left out.")] = None,
    download: Annotated[bool, typer.Option("--download", help="With --model: fetch weights that are absent.")] = False,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Measure a run, or open models, on a dataset's test panoramas, beside chance, and write the report.

    Example: geolocate model evaluate uk-cities-50-s0. Open models, clipped to a region: geolocate model evaluate
    --model streetclip --region uk --weights weights/StreetCLIP
    """
    from geolocate.evaluation import Bootstrap
    from geolocate.evaluation import evaluate as evaluate_run

    root = DataRoot(settings_from_environment().data)
    if model or run is None:
        wanted = open_models.Wanted(tuple(model or ()), region, dataset, weights, download)
        _evaluate_open(root, run, wanted, Bootstrap(resamples, seed), (as_json, as_markdown))
        return
    show(root, evaluate_run(root, run, bootstrap=Bootstrap(resamples, seed)), as_json=as_json, as_markdown=as_markdown)


def _evaluate_open(
    root: DataRoot, run: str | None, wanted: open_models.Wanted, bootstrap: Any, shown: tuple[bool, bool]
) -> None:
    if run is not None or not wanted.models:
        raise SettingsError("name a finished run, or open models with --model; not both, and not neither")
    as_json, as_markdown = shown
    found = open_models.evaluate_wanted(root, wanted, bootstrap)
    if as_json:
        open_models.echo_json(found)
        return
    for name, result in found.items():
        if isinstance(result, str):
            typer.echo(f"{name}: {result}")
        else:
            show(root, result, as_json=False, as_markdown=as_markdown)


def score(
    predictions: Annotated[Path, typer.Argument(help="Parquet or CSV with panorama_id, lat, lon.")],
    dataset: Annotated[str, typer.Option(help="NAME (its newest version) or NAME@VERSION.")],
    name: Annotated[str | None, typer.Option(help="Folder under runs/; the file's name if left out.")] = None,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Measure what any other program predicted for a dataset's test panoramas, beside chance.

    The file may also have class_id, confidence, probabilities (Parquet) and world. Test panoramas without a row are
    answered with the best constant.

    Example: geolocate model score predictions.parquet --dataset uk-cities-50
    """
    from geolocate.evaluation.assess import Bootstrap
    from geolocate.evaluation.predictions_file import score_file

    root = DataRoot(settings_from_environment().data)
    metrics = score_file(root, predictions, dataset, name=name, bootstrap=Bootstrap(resamples, seed))
    show(root, metrics, as_json=as_json, as_markdown=as_markdown)


def show(root: DataRoot, metrics: dict[str, Any], *, as_json: bool, as_markdown: bool) -> None:
    """Write the report about recorded metrics and print them: as a table, as Markdown, or as JSON."""
    from geolocate.reporting import results_markdown, results_table, verdicts, write_report

    report = write_report(root, metrics["run"])
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
    runs: Annotated[list[str], typer.Argument(help="Two or more evaluated runs of one world.")],
    page: Annotated[Path | None, typer.Option(help="The page; comparison.html in the data root.")] = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Set evaluated runs side by side, and into the study's table; the first is what the others are compared with.

    Runs that differ in their seed only are one recipe. Runs of several datasets stand in the study's table, and side by
    side with those of their own dataset version.

    Example: geolocate model compare uk-cities-50-s0 uk-cities-50-s1
    """
    from geolocate.evaluation.study import compare_all
    from geolocate.reporting.comparison import comparison_markdown, comparison_table
    from geolocate.reporting.study_page import study_markdown, study_table_shown, write_study_page

    root = DataRoot(settings_from_environment().data)
    study, comparisons = compare_all(root, runs)
    path = write_study_page(page or root.path / "comparison.html", study, comparisons)
    if as_json:
        # One dataset version has one comparison, as it always had.
        shown = comparisons[0] if len(comparisons) == 1 else {"comparisons": comparisons}
        typer.echo(json.dumps({**shown, "study": study}, indent=2, sort_keys=True, ensure_ascii=False))
    elif as_markdown:
        typer.echo("\n".join([*map(comparison_markdown, comparisons), study_markdown(study)]))
    else:
        console = Console()
        for comparison in comparisons:
            console.print(comparison_table(comparison))
        console.print(study_table_shown(study))
        console.print(f"page: {path}", highlight=False, soft_wrap=True)


def promote(
    runs: Annotated[list[str], typer.Argument(help="Finished runs of one dataset version; the best is promoted.")],
    name: Annotated[str | None, typer.Option(help="The model's name; the dataset's if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put the run that is best on val ground into use, with a model card; never by its test figures.

    Example: geolocate model promote uk-cities-50-s0 uk-cities-50-s1
    """
    from dataclasses import asdict

    from geolocate.reporting.promotion import promote as promote_run

    promoted = promote_run(DataRoot(settings_from_environment().data), runs, name)
    if as_json:
        typer.echo(json.dumps(asdict(promoted), indent=2, sort_keys=True))
        return
    typer.echo(f"{promoted.name}@{promoted.version} is run {promoted.run}: {promoted.figure} {promoted.value:.1f}")
    if promoted.note:
        typer.echo(f"  {promoted.note}")
    typer.echo(f"  {promoted.path}/: checkpoint.safetensors, MODEL_CARD.md")
