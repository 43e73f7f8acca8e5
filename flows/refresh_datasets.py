"""refresh-datasets: ask again what became of a dataset's places, buy the difference, publish the next version."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.collecting import BudgetUsd, MaxImages, each_shard, shard_runner
from flows.described import described
from flows.names import Dataset
from geolocate.collection.comparing import RoundPlan
from geolocate.collection.rounds import Scope
from geolocate.dataset.refreshing import RefreshPlan
from geolocate.records import ImageReason
from tasks import collecting, refreshing
from tasks.datasets import announce
from tasks.refreshing import RoundOrder

Groups = Annotated[
    list[str], Field(max_length=1000, description="Only these cities or cells, by id or name; empty: all of them")
]
CapturedBefore = Annotated[
    str,
    Field(
        pattern=r"^(\d{4}(-\d\d){0,2})?$",
        description="Only imagery older than this date, such as 2020 or 2024-06; empty: all",
    ),
]
Anew = Annotated[bool, Field(description="Give up what an unfinished refresh has found, and ask again")]
DryRun = Annotated[bool, Field(description="Ask and price, free of charge; buy and publish nothing")]


@flow(name="refresh-datasets", flow_run_name="refresh {dataset}", task_runner=shard_runner())
@described
def refresh_datasets(
    dataset: Dataset = "uk-cities-50",
    dry_run: DryRun = False,
    budget_usd: BudgetUsd = 25.0,
    max_images: MaxImages = None,
    groups: Groups = [],  # noqa: B006 - read only; Prefect shows it in its form
    captured_before: CapturedBefore = "",
    anew: Anew = False,
) -> str | State[str]:
    """Ask metadata for each place again, buy only what differs, publish a version; return its name.

    Without a difference the dataset stays as it is. A cap that is reached ends the run with nothing published; a run
    with a higher one goes on.
    """
    begun = refreshing.begin_refresh(dataset, Scope(tuple(groups), captured_before), anew=anew)
    orders = [RoundOrder(refresh=begun, one=one, budget_usd=budget_usd, max_images=max_images) for one in begun.rounds]
    plan = RefreshPlan(begun.before, tuple(_look(order) for order in orders))
    told = refreshing.show_plan(plan)
    if dry_run:
        return Completed(name="Planned", message=f"nothing was bought: {told}", data="")
    refreshing.check_plan(plan)
    for order in orders:
        if left := _buy(order):
            return Completed(name="OverBudget", message=_at_the_cap(order, left), data="")
    done = refreshing.publish_refresh(begun)
    refreshing.show_changes(done)
    if done.after != done.before:
        announce(str(done.after))
    return str(done.after)


def _look(order: RoundOrder) -> RoundPlan:
    """Ask for what is not known yet, free of charge."""
    each_shard(collecting.find_shard, order, refreshing.plan_round(order))
    collecting.assign_panoramas(order)
    return refreshing.compare_round(order)


def _buy(order: RoundOrder) -> int:
    """Buy what is missing; return how many pictures a cap has kept away."""
    each_shard(collecting.fetch_shard, order, refreshing.plan_round(order))
    return int(refreshing.finish_round(order)["reasons"].get(ImageReason.OVER_BUDGET, 0))


def _at_the_cap(order: RoundOrder, left: int) -> str:
    return (
        f"a cap was reached: {left} pictures of {order.name} are missing and nothing was published; run it again with "
        "a higher budget_usd or max_images to go on, nothing is paid twice"
    )
