"""Tasks of labelling and publishing."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from pydantic import BaseModel

from geolocate.dataset import PublishRequest, dataset_versions, open_dataset, publish
from tasks.orders import data_root
from tasks.timing import CLOCK

PUBLISHED = "geolocate.dataset.published"


class Publication(BaseModel):
    """A dataset version, and whether this run made it."""

    dataset: str
    is_new: bool


@task(task_run_name="publish {request.name}", cache_policy=NO_CACHE)
def publish_dataset(request: PublishRequest) -> Publication:
    """Label, split and publish; the same content again is the same version."""
    return CLOCK.measures(_publish)(request)


def _publish(request: PublishRequest) -> Publication:
    known = dataset_versions(data_root(), request.name)
    ref = publish(data_root(), request)
    return Publication(dataset=str(ref), is_new=ref.version not in known)


def announce(publication: Publication, trained_by: str = "") -> None:
    """Tell the automations of a new version, once; ``trained_by`` names a flow that trains on it by itself."""
    if not publication.is_new:
        return
    version = open_dataset(data_root(), publication.dataset)
    emit_event(
        event=PUBLISHED,
        resource={
            "prefect.resource.id": f"geolocate.dataset.{version.ref.name}",
            "prefect.resource.name": publication.dataset,
            "geolocate.trained-by": trained_by,
        },
        payload={"dataset": publication.dataset, "sha256": version.ref.sha256, "images": version.card["images"]},
    )
