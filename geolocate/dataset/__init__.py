"""From manifests to immutable, labelled, split dataset versions."""

from geolocate.dataset.publishing import PublishRequest, publish
from geolocate.dataset.versions import DatasetRef, DatasetVersion, dataset_versions, open_dataset

__all__ = ["DatasetRef", "DatasetVersion", "PublishRequest", "dataset_versions", "open_dataset", "publish"]
