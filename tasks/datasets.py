"""Tasks of labelling and publishing."""

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.dataset.cards import card_lines
from geolocate.dataset.splits import cost_lines
from geolocate.storage import read_json
from tasks.gates import gates_shown
from tasks.orders import data_root
from tasks.timing import CLOCK

PUBLISHED = "geolocate.dataset.published"


@task(task_run_name="publish {request.name}", cache_policy=NO_CACHE)
def publish_dataset(request: PublishRequest) -> str:
    """Label, split and publish; the same content again is the same version. Gives ``name@version``."""
    with gates_shown():
        ref = CLOCK.measures(publish)(data_root(), request)
    folder = data_root().dataset(ref.name, ref.version)
    card = read_json(folder / "card.json")
    facts = card_lines(card)
    told = ("content", "quality", "probes above the prior")
    get_run_logger().info("%s: %s", ref, "; ".join(f"{name}: {facts[name]}" for name in told))
    names = pd.read_parquet(folder / "classes.parquet").set_index("class_id")["class_name"]
    for line in cost_lines(card["splits"], names, card["panoramas_without_class"]):
        get_run_logger().info("%s: %s", ref.name, line)
    return str(ref)


def announce(dataset: str, trained_by: str = "") -> None:
    """Tell the automations of a new version, once; ``trained_by`` names a flow that trains on it by itself.

    The mark that it was told is written after telling: a kill in between tells twice, never not at all, and a
    training that was done before is not done again.
    """
    version = open_dataset(data_root(), dataset)
    told = version.path.with_name(f".announced-{version.ref.version}")
    if told.exists():
        return
    emit_event(
        event=PUBLISHED,
        resource={
            "prefect.resource.id": f"geolocate.dataset.{version.ref.name}",
            "prefect.resource.name": dataset,
            "geolocate.trained-by": trained_by,
        },
        payload={"dataset": dataset, "sha256": version.ref.sha256, "images": version.card["images"]},
    )
    told.touch()
