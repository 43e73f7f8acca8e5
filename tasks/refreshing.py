"""Tasks of refreshing a dataset, and what the UI shows of one."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from geolocate import collection
from geolocate.collection import CollectRequest, Pace, comparing
from geolocate.collection.comparing import RoundPlan
from geolocate.collection.reconcile import validate_collection
from geolocate.collection.rounds import Round, Scope, settings_of, start_round
from geolocate.collection.shards import files_of
from geolocate.dataset import refreshing
from geolocate.dataset.refreshing import Refresh, RefreshCaps, Refreshed, RefreshPlan
from geolocate.providers.registry import source_of
from tasks.gates import gates_shown
from tasks.orders import data_root, settings
from tasks.pace import pace_of
from tasks.timing import CLOCK


class RoundOrder(BaseModel):
    """One round of a refresh, and what the whole refresh may buy."""

    model_config = ConfigDict(frozen=True)

    refresh: Refresh
    one: Round
    budget_usd: float | None = None
    max_images: int | None = None

    @property
    def name(self) -> str:
        """The collection that the round fills."""
        return self.one.name

    def request(self) -> CollectRequest:
        """Add the settings of the machine that the task runs on, secrets among them."""
        whom = settings_of(files_of(data_root(), self.one.of), settings())
        caps = RefreshCaps(self.budget_usd, self.max_images, pace=Pace(source=pace_of(source_of(whom).client.name)))
        return refreshing.request_in(data_root(), self.refresh, self.one, whom, caps)


@task(task_run_name="begin refreshing {dataset}", cache_policy=NO_CACHE)
def begin_refresh(dataset: str, scope: Scope, *, anew: bool) -> Refresh:
    """Take up the refresh that is not over yet, or begin one."""
    begin = CLOCK.measures(refreshing.begin_refresh)
    return begin(data_root(), dataset, settings(), scope, "anew" if anew else "resume")


@task(task_run_name="check the plan", cache_policy=NO_CACHE)
def check_plan(plan: RefreshPlan) -> None:
    """Fail, before anything is bought, where more is gone than the region allows."""
    with gates_shown():
        refreshing.check_plan(data_root(), plan)


@task(task_run_name="plan {order.name}", cache_policy=NO_CACHE)
def plan_round(order: RoundOrder) -> list[int]:
    """Write the round's plan and say which shards it has."""
    return CLOCK.measures(_plan)(order)


def _plan(order: RoundOrder) -> list[int]:
    start_round(data_root(), order.one, order.request())
    return collection.shard_numbers(data_root(), order.name)


@task(task_run_name="compare {order.name}", cache_policy=NO_CACHE)
def compare_round(order: RoundOrder) -> RoundPlan:
    """Tell what differs, and what the difference would cost."""
    return CLOCK.measures(comparing.compare_round)(data_root(), order.one, order.request())


@task(task_run_name="add up {order.name}", cache_policy=NO_CACHE)
def finish_round(order: RoundOrder) -> dict[str, Any]:
    """Merge the shards' outcomes and prove that the totals reconcile."""
    return CLOCK.measures(_finish)(order)


def _finish(order: RoundOrder) -> dict[str, Any]:
    summary = collection.finish_collection(data_root(), order.name)
    validate_collection(data_root(), order.name, verify="size").raise_if_broken()
    return asdict(summary)


@task(task_run_name="publish {refresh.before.name}", cache_policy=NO_CACHE)
def publish_refresh(refresh: Refresh) -> Refreshed:
    """Publish what the rounds hold as the next version, and end them."""
    with gates_shown():
        return CLOCK.measures(refreshing.publish_refresh)(data_root(), refresh)


def show_plan(plan: RefreshPlan) -> str:
    """A table of what differs by place, with requests and price; the same in a line, which is returned."""
    price = "would cost" if plan.rounds[0].world == "emulated" else "cost"
    line = (
        f"{plan.before}: points {_counts(plan.points)}; {plan.metadata_requests:,} metadata requests (free), "
        f"{plan.image_requests:,} image requests, which {price} ${plan.price_usd_at_list:,.2f} at list price"
    )
    groups = [one.groups.assign(collection=one.of) for one in plan.rounds]
    _show("refresh-plan", f"What refreshing {line}", pd.concat(groups, ignore_index=True))
    get_run_logger().info("%s", line)
    return line


def show_changes(done: Refreshed) -> None:
    """A table of what changed by class."""
    line = f"{done.before} → {done.after}: panoramas {_counts(done.changes.totals)}"
    _show("refresh-changes", line, done.changes.by_class())
    get_run_logger().info("%s", line)


def _show(key: str, description: str, rows: pd.DataFrame) -> None:
    told = [{str(name): value for name, value in row.items()} for row in rows.to_dict(orient="records")]
    create_table_artifact(told or [{"differences": "none"}], key=key, description=description)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())
