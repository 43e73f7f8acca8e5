"""From planned points to pictures with coordinates: searched free of charge, paid once, resumable at any instant."""

from geolocate.collection.assigning import assign_panoramas, shard_numbers
from geolocate.collection.collect import collect, finish_collection, start_collection
from geolocate.collection.download import fetch_shard
from geolocate.collection.finding import find_shard
from geolocate.collection.reconcile import ValidationReport, validate_collection
from geolocate.collection.records import (
    STANDARD_VIEWS,
    CollectionSummary,
    CollectRequest,
    ShardReport,
)
from geolocate.collection.throttle import Pace

__all__ = [
    "STANDARD_VIEWS",
    "CollectRequest",
    "CollectionSummary",
    "Pace",
    "ShardReport",
    "ValidationReport",
    "assign_panoramas",
    "collect",
    "fetch_shard",
    "find_shard",
    "finish_collection",
    "shard_numbers",
    "start_collection",
    "validate_collection",
]
