"""From planned points to pictures with coordinates: searched free of charge, paid once, resumable at any instant.

- which points: plan, drawing, targets, city_targets, crowd; points that others chose: points, pano_ids, importing
- what that would take: estimate, hit_rate, foreknown, pricing
- the life of a collection: collect; its phases: finding, assigning, download; its files and records: shards, records
- asking: office opens what an engine needs; throttle, shared_pace and quota say when a request may leave
- what comes back: validation judges a picture, keeping stores it, verifying looks at it again later
- what was asked and paid: ledger, ledger_schema, entries, answers, purse, sessions; shared commits: writer, grouping
- asking again later: rounds, comparing
- proving and looking: reconcile (the command ``validate``), billing, watching; forgetting
"""

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
