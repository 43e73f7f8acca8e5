"""Tasks of collecting; a shard of hundreds of places is one task, an image is none."""

from dataclasses import asdict
from typing import Any

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE

from geolocate import collection
from geolocate.collection.plan import make_plan
from geolocate.collection.reconcile import validate_collection
from tasks.artifacts import shard_progress
from tasks.budgets import budget_watch
from tasks.orders import CollectionOrder, Order, data_root
from tasks.timing import CLOCK


@task(task_run_name="plan {order.name}", cache_policy=NO_CACHE)
def plan_collection(order: CollectionOrder) -> list[int]:
    """Plan the points and say which shards they make."""
    return CLOCK.measures(_plan)(order)


def _plan(order: CollectionOrder) -> list[int]:
    collection.start_collection(data_root(), order.name, make_plan(order.plan), order.request())
    return collection.shard_numbers(data_root(), order.name)


@task(task_run_name="find panoramas, shard {shard}", cache_policy=NO_CACHE)
def find_shard(order: Order, shard: int) -> dict[str, Any]:
    """Find the panoramas of a shard by their free metadata."""
    progress = shard_progress(order.name, f"find-{shard}")
    return asdict(CLOCK.measures(collection.find_shard)(data_root(), order.request(), shard, progress))


@task(task_run_name="assign panoramas of {order.name}", cache_policy=NO_CACHE)
def assign_panoramas(order: Order) -> int:
    """Give each panorama to one point before anything is billed."""
    return CLOCK.measures(collection.assign_panoramas)(data_root(), order.request())


@task(task_run_name="fetch images, shard {shard}", cache_policy=NO_CACHE)
def fetch_shard(order: Order, shard: int) -> dict[str, Any]:
    """Fetch the views of a shard's panoramas, each at most once a data root."""
    request = order.request()
    watch = budget_watch(data_root(), request, runtime.flow_run.id)
    progress = watch.watching(shard_progress(order.name, f"fetch-{shard}"))
    report = CLOCK.measures(collection.fetch_shard)(data_root(), request, shard, progress)
    watch.look()
    return asdict(report)


@task(task_run_name="add up {order.name}", cache_policy=NO_CACHE)
def finish_collection(order: CollectionOrder) -> dict[str, Any]:
    """Merge the shards' outcomes and prove that the totals reconcile."""
    return CLOCK.measures(_finish)(order)


def _finish(order: CollectionOrder) -> dict[str, Any]:
    summary = collection.finish_collection(data_root(), order.name)
    validate_collection(data_root(), order.name).raise_if_broken()
    return asdict(summary)
