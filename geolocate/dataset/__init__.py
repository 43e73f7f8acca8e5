"""From manifests to immutable, labelled, split dataset versions.

- what a row is called: labels, classes, study_layout
- where it belongs, and the proof: splits
- making and opening a version: publishing, versions, lineage, tracing, difference
- what its card says: describing, cards, biases, measures, quality, probes, pages, quality_page
- the next one: refreshing, changes, gates; made again: rebuilding
- leaving: exporting, export_job, export_folders, export_archives
- what may be done with it: rights, forgetting
"""

from geolocate.dataset.publishing import PublishRequest, publish
from geolocate.dataset.versions import DatasetRef, DatasetVersion, dataset_versions, open_dataset

__all__ = ["DatasetRef", "DatasetVersion", "PublishRequest", "dataset_versions", "open_dataset", "publish"]
