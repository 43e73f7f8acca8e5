"""geolocate-uk: the whole chain for the United Kingdom, from boundaries to a report."""

from typing import Any, cast

from prefect import flow
from prefect.states import Completed

from flows.collecting import (
    BudgetUsd,
    MaxImages,
    PerPlace,
    Provider,
    Seed,
    Top,
    at_the_cap,
    collect_and_publish,
    shard_runner,
)
from flows.described import described
from flows.learning import (
    BesideStudy,
    Epochs,
    ImageEncoder,
    TextEncoder,
    beside_study,
    train_and_evaluate,
    train_study_recipe,
)
from geolocate.collection.plan import PlanRequest
from geolocate.training.config import TrainConfig
from tasks.orders import CollectionOrder
from tasks.timing import CLOCK


@flow(name="geolocate-uk", flow_run_name="geolocate-uk top {top} × {per_place}", task_runner=shard_runner())
@described
def geolocate_uk(
    top: Top = 50,
    per_place: PerPlace = 22,
    budget_usd: BudgetUsd = None,
    max_images: MaxImages = None,
    provider: Provider = None,
    image_encoder: ImageEncoder = "efficientnet-lite0-stages",
    text_encoder: TextEncoder = "minilm",
    epochs: Epochs = 40,
    seed: Seed = 0,
    study: BesideStudy = True,
) -> dict[str, Any]:
    """Sample, collect, merge suburbs, publish, train, evaluate, report; the study's recipe beside it."""
    CLOCK.restart()
    plan = PlanRequest(region="uk", kind="cities", top=top, per_place=per_place, seed=seed)
    order = CollectionOrder(plan=plan, provider=provider, budget_usd=budget_usd, max_images=max_images)
    collected = collect_and_publish(order, trained_by="geolocate-uk")
    if collected.over_budget:
        state: Any = Completed(name="OverBudget", message=at_the_cap(order, collected), data=collected.model_dump())
        return cast("dict[str, Any]", state)  # a state that a flow returns is the run's own
    config = TrainConfig(image_encoder=image_encoder, text_encoder=text_encoder, epochs=epochs, seed=seed)
    result = collected.model_dump()
    if study:  # first, so that the run that is found as the latest is ours
        result["study"] = train_study_recipe(collected.dataset, config)
    result |= train_and_evaluate(collected.dataset, config)
    if study:
        beside_study(result["study"], result["run"])
    return result | {"orchestration_share": CLOCK.orchestration_share()}
