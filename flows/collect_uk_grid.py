"""collect-uk-grid: panoramas over the United Kingdom, cell by cell."""

from prefect import flow

from flows.collecting import BudgetUsd, CellKm, MaxImages, PerCell, Provider, Seed, collect_and_publish, shard_runner
from geolocate.collection.plan import PlanRequest
from tasks.orders import CollectionOrder


@flow(name="collect-uk-grid", flow_run_name="collect-uk-grid {cell_km} km × {per_place}", task_runner=shard_runner())
def collect_uk_grid(
    cell_km: CellKm = 50.0,
    per_place: PerCell = 4,
    budget_usd: BudgetUsd = None,
    max_images: MaxImages = None,
    provider: Provider = None,
    seed: Seed = 0,
) -> str:
    """Collect panoramas over the United Kingdom, cell by cell.

    Ends in a published dataset version, whose name and version it returns.
    """
    plan = PlanRequest(region="uk", kind="grid", cell_km=cell_km, per_place=per_place, seed=seed)
    order = CollectionOrder(plan=plan, provider=provider, budget_usd=budget_usd, max_images=max_images)
    return collect_and_publish(order).dataset
