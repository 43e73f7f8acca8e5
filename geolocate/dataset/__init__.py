"""From manifests to immutable, labelled, split dataset versions."""

from geolocate.dataset.versions import (
    DatasetRef,
    DatasetVersion,
    PublishRequest,
    dataset_versions,
    open_dataset,
    publish,
)

__all__ = ["DatasetRef", "DatasetVersion", "PublishRequest", "dataset_versions", "open_dataset", "publish"]
