"""collect-uk-cities: panoramas of the United Kingdom's 150 largest places, suburbs merged into their cities."""

from prefect import flow

from flows.collecting import BudgetUsd, MaxImages, PerPlace, Provider, Seed, Top, collect_and_publish, shard_runner
from geolocate.collection.plan import PlanRequest
from tasks.orders import CollectionOrder


@flow(name="collect-uk-cities", flow_run_name="collect-uk-cities top {top} × {per_place}", task_runner=shard_runner())
def collect_uk_cities(
    top: Top = 150,
    per_place: PerPlace = 18,
    budget_usd: BudgetUsd = None,
    max_images: MaxImages = None,
    provider: Provider = None,
    seed: Seed = 0,
) -> str:
    """Collect panoramas of the United Kingdom's 150 largest places, suburbs merged into their cities.

    Ends in a published dataset version, whose name and version it returns.
    """
    plan = PlanRequest(region="uk", kind="cities", top=top, per_place=per_place, seed=seed)
    order = CollectionOrder(plan=plan, provider=provider, budget_usd=budget_usd, max_images=max_images)
    return collect_and_publish(order).dataset
