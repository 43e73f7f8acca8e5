"""The one way to collect, which every collecting flow is a thin preset of."""

from typing import Annotated, Any, cast

from prefect import get_run_logger, unmapped
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import BaseModel, Field

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
Provider = Annotated[str | None, Field(description="google or folder; empty: the worker's GEOLOCATE_PROVIDER")]
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
    publication = publish_dataset(order.publication())
    announce(publication, trained_by)
    return Collected(dataset=publication.dataset, requests=_requests([*found, *fetched]))


def _requests(reports: list[dict[str, int]]) -> int:
    metadata = sum(report["metadata_requests"] for report in reports)
    images = sum(report["image_requests"] for report in reports)
    logger = get_run_logger()
    logger.info("sent %d metadata and %d image requests", metadata, images)
    if metadata + images == 0:
        logger.info("nothing to do: everything was collected before")
    return metadata + images
