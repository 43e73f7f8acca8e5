"""merge-suburbs: relabel a dataset after the suburb overrides were edited, without a request."""

from pathlib import Path

from prefect import flow

from geolocate.dataset import PublishRequest, open_dataset
from tasks.datasets import announce, publish_dataset
from tasks.orders import data_root


@flow(name="merge-suburbs", flow_run_name="merge suburbs of {dataset}")
def merge_suburbs(dataset: str = "uk-cities-150", overrides: str | None = None) -> str:
    """Publish a dataset anew with suburbs merged by today's rule and overrides.

    ``overrides`` is a table of one's own; empty: the region's. Sends no request; the same labels again are the same
    version.
    """
    card = open_dataset(data_root(), dataset).card
    request = PublishRequest.model_validate({name: card[name] for name in PublishRequest.model_fields})
    if overrides:
        request = request.model_copy(update={"suburb_overrides": Path(overrides)})
    published = publish_dataset(request)
    announce(published)
    return published
