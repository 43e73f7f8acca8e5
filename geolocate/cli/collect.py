"""`geolocate data collect`: fetch what was planned, within the caps."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from geolocate.cli.options import AsJson, Name, Provider, Sample, Verify, spread
from geolocate.cli.plan import plan_of, settings_for
from geolocate.cli.progress import shown_progress
from geolocate.cli.summary import show_summary
from geolocate.storage import DataRoot


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("collect")(collect)


@dataclass(frozen=True)
class Limits:
    """How much, how fast."""

    budget_usd: Annotated[float | None, typer.Option(help="Never spend more, over all runs.")] = None
    max_images: Annotated[int | None, typer.Option(help="Never ask for more images, over all runs.")] = None
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Requests under way at once.")] = 64
    verify: Annotated[
        Verify, typer.Option(help="How far pictures that are there already are looked into: none, size or hash.")
    ] = "size"


@spread
def collect(
    name: Name,
    sample: Sample,
    limits: Limits,
    from_ids: Annotated[
        Path | None, typer.Option(help="Fetch the panoramas that a file of `geolocate data export-ids` names.")
    ] = None,
    provider: Provider = None,
    as_json: AsJson = False,
) -> None:
    """Collect panoramas and their pictures; what is there is kept, and nothing is paid twice.

    Example: geolocate data collect --name uk-cities --region uk --kind cities --top 50 --per-place 18 --budget-usd 20
    """
    from geolocate.collection import CollectRequest
    from geolocate.collection import collect as collect_all
    from geolocate.collection.pano_ids import plan_of_ids
    from geolocate.errors import PlanError
    from geolocate.providers.registry import check_provider

    if from_ids and (sample.given or sample.points):
        raise PlanError("--from-ids names the panoramas: leave the options that draw or read points out")
    settings = settings_for(provider)
    request = CollectRequest(
        name,
        settings,
        sample.region,
        budget_usd=limits.budget_usd,
        max_images=limits.max_images,
        concurrency=limits.concurrency,
        verify=limits.verify,
    )
    # Before the sample is drawn, which takes seconds where a region is large.
    check_provider(settings)
    root = DataRoot(settings.data)
    if from_ids:
        wanted = plan_of_ids(from_ids, sample.region, settings)
        planned, request = wanted.plan, replace(request, views=wanted.views)
    else:
        planned = plan_of(sample)
    with shown_progress(root, name) as progress:
        summary = collect_all(root, request, planned, progress)
    show_summary(summary, as_json=as_json)
