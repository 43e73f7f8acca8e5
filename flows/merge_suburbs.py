"""merge-suburbs: relabel a dataset after the suburb overrides were edited, without a request."""

from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.described import described
from flows.names import Dataset
from geolocate.dataset import PublishRequest, open_dataset
from tasks.datasets import announce, publish_dataset
from tasks.orders import data_root

Overrides = Annotated[
    str | None, Field(max_length=1000, description="A table of one's own, on the worker's machine; empty: the region's")
]


@flow(name="merge-suburbs", flow_run_name="merge suburbs of {dataset}")
@described
def merge_suburbs(dataset: Dataset = "uk-cities-150", overrides: Overrides = None) -> str:
    """Publish a dataset anew with suburbs merged by today's rule and overrides.

    Sends no request; the same labels again are the same version.
    """
    card = open_dataset(data_root(), dataset).card
    request = PublishRequest.model_validate({name: card[name] for name in PublishRequest.model_fields})
    if overrides:
        request = request.model_copy(update={"suburb_overrides": Path(overrides)})
    published = publish_dataset(request)
    announce(published)
    return published
