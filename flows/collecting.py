"""The one way to collect, which every collecting flow is a thin preset of."""

from typing import Annotated, Any, cast

from prefect import Flow, flow, get_run_logger, unmapped
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import BaseModel, Field

from geolocate.collection.plan import PlanRequest
from tasks.artifacts import show_outcomes
from tasks.collecting import assign_panoramas, fetch_shard, find_shard, finish_collection, plan_collection
from tasks.datasets import announce, publish_dataset
from tasks.orders import CollectionOrder

Top = Annotated[int, Field(ge=2, le=1000, description="How many of the region's largest places to sample")]
PerPlace = Annotated[int, Field(ge=1, le=10_000, description="Panoramas a merged class")]
PerCell = Annotated[int, Field(ge=1, le=10_000, description="Panoramas a cell")]
CellKm = Annotated[float, Field(gt=0, le=1000, description="Side of a cell in kilometres")]
BudgetUsd = Annotated[float | None, Field(ge=0, description="Hard cap on what may be spent, in US dollars")]
MaxImages = Annotated[int | None, Field(ge=0, description="Hard cap on billed images")]
Provider = Annotated[str | None, Field(description="Empty: the worker's GEOLOCATE_PROVIDER")]
Seed = Annotated[int, Field(ge=0, description="The same seed gives the same points on any machine")]


def shard_runner() -> TaskRunner[PrefectFuture[Any]]:
    """Two shards at a time: each is asynchronous inside, and one decodes while the other waits."""
    return cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner[Any](max_workers=2))


class Collected(BaseModel):
    """What a collecting flow ends in: a dataset version, and how many requests it took this time."""

    dataset: str
    requests: int


def collect_and_publish(order: CollectionOrder, trained_by: str = "") -> Collected:
    """Plan, find, assign, fetch, add up, publish: in this order, so that nothing is billed twice.

    A finished step sends nothing when it runs again; a killed run goes on where its files end.
    """
    shards = plan_collection(order)
    found = find_shard.map(unmapped(order), shards).result()
    assign_panoramas(order)
    fetched = fetch_shard.map(unmapped(order), shards).result()
    summary = finish_collection(order)
    show_outcomes(order.name, summary)
    dataset = publish_dataset(order.publication())
    announce(dataset, trained_by)
    return Collected(dataset=dataset, requests=_requests([*found, *fetched]))


def _requests(reports: list[dict[str, int]]) -> int:
    metadata = sum(report["metadata_requests"] for report in reports)
    images = sum(report["image_requests"] for report in reports)
    logger = get_run_logger()
    logger.info("sent %d metadata and %d image requests", metadata, images)
    if metadata + images == 0:
        logger.info("nothing to do: everything was collected before")
    return metadata + images


def grid_flow(name: str, region: str, default_km: float, default_per_cell: int) -> Flow[..., str]:
    """Make the flow that collects a region cell by cell, with a preset's defaults."""

    @flow(name=name, flow_run_name=f"{name} {{cell_km}} km × {{per_place}}", task_runner=shard_runner())
    def collect_grid(
        cell_km: CellKm = default_km,
        per_place: PerCell = default_per_cell,
        budget_usd: BudgetUsd = None,
        max_images: MaxImages = None,
        provider: Provider = None,
        seed: Seed = 0,
    ) -> str:
        """Collect panoramas cell by cell; end in a published dataset version, whose name and version is returned."""
        plan = PlanRequest(region=region, kind="grid", cell_km=cell_km, per_place=per_place, seed=seed)
        order = CollectionOrder(plan=plan, provider=provider, budget_usd=budget_usd, max_images=max_images)
        return collect_and_publish(order).dataset

    return collect_grid


def cities_flow(name: str, region: str, default_top: int, default_per_place: int) -> Flow[..., str]:
    """Make the flow that collects a region's largest places, with a preset's defaults."""

    @flow(name=name, flow_run_name=f"{name} top {{top}} × {{per_place}}", task_runner=shard_runner())
    def collect_cities(
        top: Top = default_top,
        per_place: PerPlace = default_per_place,
        budget_usd: BudgetUsd = None,
        max_images: MaxImages = None,
        provider: Provider = None,
        seed: Seed = 0,
    ) -> str:
        """Collect panoramas of the largest places, suburbs merged; end in a published dataset version."""
        plan = PlanRequest(region=region, kind="cities", top=top, per_place=per_place, seed=seed)
        order = CollectionOrder(plan=plan, provider=provider, budget_usd=budget_usd, max_images=max_images)
        return collect_and_publish(order).dataset

    return collect_cities
