"""The one way to collect, which every collecting flow is a thin preset of."""

from typing import Annotated, Any, cast

from prefect import Flow, Task, flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import BaseModel, Field

from flows.described import described
from geolocate.collection.plan import PlanRequest
from geolocate.collection.records import Verify
from geolocate.records import ImageReason, OutcomeStatus
from tasks.artifacts import show_outcomes
from tasks.collecting import assign_panoramas, fetch_shard, find_shard, finish_collection, plan_collection
from tasks.datasets import announce, publish_dataset
from tasks.orders import CollectionOrder, Order

Top = Annotated[int, Field(ge=2, le=1000, description="How many of the region's largest places to sample")]
PerPlace = Annotated[int, Field(ge=1, le=10_000, description="Panoramas a merged class")]
PerCell = Annotated[int, Field(ge=1, le=10_000, description="Panoramas a cell")]
CellKm = Annotated[float, Field(gt=0, le=1000, description="Side of a cell in kilometres")]
BudgetUsd = Annotated[
    float | None,
    Field(ge=0, le=1_000_000, allow_inf_nan=False, description="Hard cap on what may be spent, in US dollars"),
]
MaxImages = Annotated[int | None, Field(ge=0, le=1_000_000_000, description="Hard cap on billed images")]
Provider = Annotated[
    str | None,
    Field(
        pattern="^(google|mapillary|panoramax)?$",
        description="google, mapillary or panoramax, as the worker's settings allow; empty: its GEOLOCATE_PROVIDER",
    ),
]
CheckPictures = Annotated[
    Verify, Field(description="How far pictures that are there already are looked into: none, size or hash")
]
Seed = Annotated[int, Field(ge=0, lt=2**32, description="The same seed gives the same points on any machine")]


#: Each shard is asynchronous inside, and one decodes while the other waits.
SHARDS_AT_ONCE = 2
#: What a task tells of its shard.
Report = dict[str, Any]


def shard_runner() -> TaskRunner[PrefectFuture[Any]]:
    """Work on some shards at a time."""
    return cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner[Any](max_workers=SHARDS_AT_ONCE))


class Collected(BaseModel):
    """What a collecting flow ends in: a dataset version, and how many requests it took this time.

    ``over_budget`` counts the points that a cap has left without pictures; there is no dataset version then.
    """

    dataset: str
    requests: int
    over_budget: int = 0


def collect_and_publish(order: CollectionOrder, trained_by: str = "") -> Collected:
    """Plan, find, assign, fetch, add up, publish: in this order, so that nothing is billed twice.

    A finished step sends nothing when it runs again; a killed run goes on where its files end. A collection that a cap
    has ended is not published, for a dataset would be trained on that nobody has planned.
    """
    shards = plan_collection(order)
    found = each_shard(find_shard, order, shards)
    assign_panoramas(order)
    fetched = each_shard(fetch_shard, order, shards)
    summary = finish_collection(order)
    requests, over_budget = _requests([*found, *fetched]), _over_budget(summary)
    if over_budget:
        stopped = Collected(dataset="", requests=requests, over_budget=over_budget)
        show_outcomes(order.name, summary, [at_the_cap(order, stopped)])
        return stopped
    show_outcomes(order.name, summary)
    dataset = publish_dataset(order.publication())
    announce(dataset, trained_by)
    return Collected(dataset=dataset, requests=requests)


def each_shard(work: Task[..., Report], order: Order, shards: list[int]) -> list[Report]:
    """Work on all shards, some at a time; after one that fails no other is begun: a refused key costs few requests."""
    futures: list[PrefectFuture[Report]] = []
    for shard in shards:
        futures.append(work.submit(order, shard))
        if len(futures) > SHARDS_AT_ONCE:
            futures[-1 - SHARDS_AT_ONCE].result()
    return [future.result() for future in futures]


def ended(order: CollectionOrder, collected: Collected) -> str | State[str]:
    """Return the dataset version or, where a cap was reached, a completed state that says so."""
    if not collected.over_budget:
        return collected.dataset
    return Completed(name="OverBudget", message=at_the_cap(order, collected), data="")


def at_the_cap(order: CollectionOrder, collected: Collected) -> str:
    """Say which cap was reached, and how to go on."""
    caps = {"budget_usd": order.budget_usd, "max_images": order.max_images}
    told = ", ".join(f"{name}={value:g}" for name, value in caps.items() if value is not None)
    return (
        f"{told} reached: {collected.over_budget} points of {order.name} have no pictures yet, and nothing was "
        "published; run it again with a higher cap to go on, nothing is paid twice"
    )


def _over_budget(summary: dict[str, Any]) -> int:
    """Count the points of which a cap has kept all pictures away, or 1 where it was only some of one point's."""
    partly = ImageReason.OVER_BUDGET in summary["reasons"]
    return max(int(summary["statuses"].get(OutcomeStatus.OVER_BUDGET, 0)), int(partly))


def _requests(reports: list[dict[str, int]]) -> int:
    metadata = sum(report["metadata_requests"] for report in reports)
    images = sum(report["image_requests"] for report in reports)
    logger = get_run_logger()
    logger.info("sent %d metadata and %d image requests", metadata, images)
    if metadata + images == 0:
        logger.info("nothing to do: everything was collected before")
    return metadata + images


def grid_flow(name: str, region: str, default_km: float, default_per_cell: int) -> Flow[..., Any]:
    """Make the flow that collects a region cell by cell, with a preset's defaults."""

    @flow(name=name, flow_run_name=f"{name} {{cell_km}} km × {{per_place}}", task_runner=shard_runner())
    @described
    def collect_grid(
        cell_km: CellKm = default_km,
        per_place: PerCell = default_per_cell,
        budget_usd: BudgetUsd = None,
        max_images: MaxImages = None,
        provider: Provider = None,
        seed: Seed = 0,
        verify: CheckPictures = "size",
    ) -> str | State[str]:
        """Collect panoramas cell by cell; end in a published dataset version, whose name and version is returned."""
        plan = PlanRequest(region=region, kind="grid", cell_km=cell_km, per_place=per_place, seed=seed)
        order = CollectionOrder(
            plan=plan, provider=provider, budget_usd=budget_usd, max_images=max_images, verify=verify
        )
        return ended(order, collect_and_publish(order))

    return collect_grid


def cities_flow(name: str, region: str, default_top: int, default_per_place: int) -> Flow[..., Any]:
    """Make the flow that collects a region's largest places, with a preset's defaults."""

    @flow(name=name, flow_run_name=f"{name} top {{top}} × {{per_place}}", task_runner=shard_runner())
    @described
    def collect_cities(
        top: Top = default_top,
        per_place: PerPlace = default_per_place,
        budget_usd: BudgetUsd = None,
        max_images: MaxImages = None,
        provider: Provider = None,
        seed: Seed = 0,
        verify: CheckPictures = "size",
    ) -> str | State[str]:
        """Collect panoramas of the largest places, suburbs merged; end in a published dataset version."""
        plan = PlanRequest(region=region, kind="cities", top=top, per_place=per_place, seed=seed)
        order = CollectionOrder(
            plan=plan, provider=provider, budget_usd=budget_usd, max_images=max_images, verify=verify
        )
        return ended(order, collect_and_publish(order))

    return collect_cities
