"""Which views each panorama of a plan is asked for, where that is not the same for all.

In: a plan, perhaps with a column `views`. Out: the views of each point; nothing where the collection's views hold.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple

import pandas as pd
import pyarrow.parquet as pq

from geolocate.collection.shards import CollectionFiles
from geolocate.records import View

#: The plan's column: JSON, one list of heading, pitch, fov, width and height a view.
VIEWS = "views"
Views = Mapping[str, frozenset[View]]


def as_text(views: Iterable[View]) -> str:
    """Write views for the plan: equal sets give equal text."""
    return json.dumps(sorted(astuple(view) for view in set(views)))


def views_of(plan: pd.DataFrame) -> Views:
    """Return the views of each point by its id; none where the plan does not say."""
    if VIEWS not in plan:
        return {}
    sets = {text: frozenset(View(*view) for view in json.loads(text)) for text in plan[VIEWS].unique()}
    return {point: sets[text] for point, text in zip(plan["point_id"], plan[VIEWS], strict=True)}


def views_of_shard(files: CollectionFiles, shard: int) -> Views:
    """Do the same for one shard of a collection's plan, without reading the rest."""
    if VIEWS not in pq.read_schema(files.plan).names:
        return {}
    table = pq.read_table(files.plan, columns=["point_id", VIEWS], filters=[("shard", "=", shard)])
    return views_of(table.to_pandas())
