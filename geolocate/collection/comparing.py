"""What a round has found beside what the earlier collection holds, and what the difference would cost.

In: a round whose points were all searched and assigned. Out: the fate of each point, in all and by group, and how many
pictures are still to be bought: exactly those of which the ledger does not know the end.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from geolocate.collection.assigning import companions_elsewhere, duplicates_in, shard_numbers
from geolocate.collection.entries import FINAL, ImageKey
from geolocate.collection.ledger import Ledger
from geolocate.collection.pricing import discounted_usd
from geolocate.collection.records import CollectRequest
from geolocate.collection.rounds import SINCE, Round
from geolocate.collection.shards import FOUND, CollectionFiles, files_of, panorama_of, read_plan, read_rows
from geolocate.collection.wanted_views import views_of_shard
from geolocate.collection.watching import lately
from geolocate.errors import CollectionError
from geolocate.manifest import read_manifest_columns
from geolocate.providers.registry import source_of, world_of
from geolocate.records import OutcomeStatus
from geolocate.storage import DataRoot

_POINT = ["point_id", "group_id", "group_name", "lat", "lon"]
#: What may become of a planned point from one round to the next, in the order in which it is told.
FATES = ("unchanged", "changed", "new", "gone", "empty")


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """What a round has found out for nothing, and what is to be bought.

    ``points`` counts the planned points by fate: the panorama is the same, another one (or the same, dated anew), there
    where none was, gone, or there is none still. ``asked`` of them were asked again, by ``metadata_requests`` (free) so
    far. ``image_requests`` are still to be sent, at list price ``price_usd_at_list``, less with the month's discounts.
    ``groups`` counts the fates by group, ``gone`` names the panoramas of the points that lost theirs.
    """

    name: str
    of: str
    world: str
    points: dict[str, int]
    asked: int
    metadata_requests: int
    images_wanted: int
    image_requests: int
    price_usd_at_list: float
    price_usd_expected: float
    groups: pd.DataFrame
    gone: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values; ``groups`` are those in which anything differs."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, **{name: plain[name].to_dict(orient="records") for name in ("groups", "gone")}}


def compare_round(root: DataRoot, one: Round, request: CollectRequest) -> RoundPlan:
    """Compare a searched round with the collection that it asks again for, and price what it would buy.

    Raises CollectionError while a point has no answer: what was not answered must not pass for gone.
    """
    files = files_of(root, one.name)
    shards = shard_numbers(root, one.name)
    found = _found_of(files, shards)
    unanswered = found["status"].isin([OutcomeStatus.FAILED, OutcomeStatus.REFUSED])
    if unanswered.any():
        raise CollectionError(
            f"{int(unanswered.sum())} of {len(found)} points of {one.name!r} have no answer: run the same command "
            "again, nothing is asked twice"
        )
    plan = read_plan(files).drop_duplicates("point_id")
    fates = fates_of(_kept(root, one.of), found[found["status"] == FOUND], plan)
    wanted, missing = _pictures(root, files, shards, one.realm, request)
    client, world = source_of(request.settings).client, world_of(request.settings)
    with Ledger(root.ledger) as ledger:
        asked = ledger.totals(one.name).metadata_requests
    counts = fates["fate"].value_counts()
    return RoundPlan(
        name=one.name,
        of=one.of,
        world=str(world),
        points={fate: int(counts.get(fate, 0)) for fate in FATES},
        asked=int((plan[SINCE] == one.since).sum()),
        metadata_requests=asked,
        images_wanted=wanted,
        image_requests=missing,
        price_usd_at_list=round(missing * client.price_micro_usd / 1e6, 4),
        price_usd_expected=round(
            discounted_usd(client.price_micro_usd, lately(root.ledger, world).billed_this_month, missing), 4
        ),
        groups=_by_group(fates),
        gone=fates.loc[fates["fate"] == "gone", [*_POINT, "panorama_id"]].reset_index(drop=True),
    )


def fates_of(kept: pd.DataFrame, found: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the points' ``point_id, group_id, group_name, lat, lon``, ``fate`` and the ``panorama_id`` of before.

    ``kept`` and ``found`` have ``point_id, panorama_id, captured``, a row for each point that has a panorama.
    """
    points = plan[_POINT]
    for table, suffix in ((kept, "_before"), (found, "_now")):
        named = table[["point_id", "panorama_id", "captured"]].set_index("point_id").add_suffix(suffix)
        points = points.join(named, on="point_id")
    before, now = points["panorama_id_before"], points["panorama_id_now"]
    dates = [points[f"captured{suffix}"].fillna("") for suffix in ("_before", "_now")]
    same = (before == now).fillna(value=False) & (dates[0] == dates[1])
    had, has = before.notna(), now.notna()
    fate = np.select([had & has & same, had & has, has, had], FATES[:4], FATES[4])
    return points[_POINT].assign(fate=fate, panorama_id=before)


def _kept(root: DataRoot, name: str) -> pd.DataFrame:
    """Return the panorama that the collection holds for each of its points."""
    columns = ["point_id", "source_id", "panorama_id", "captured"]
    rows = read_manifest_columns(files_of(root, name).manifest, columns)
    # A flat photograph's companions have dates of their own.
    first = (rows["source_id"] != rows["panorama_id"]).rename("other")
    return rows.assign(other=first).sort_values("other", kind="stable").drop_duplicates("point_id")


def _found_of(files: CollectionFiles, shards: list[int]) -> pd.DataFrame:
    """Return what was found, without what belongs to another point."""
    columns = ["point_id", "status", "source_id", "captured"]
    tables = []
    for shard in shards:
        table = pd.read_parquet(files.table(FOUND, shard), columns=columns)
        tables.append(table[~table["point_id"].isin(duplicates_in(files, shard))])
    return pd.concat(tables, ignore_index=True).rename(columns={"source_id": "panorama_id"})


def _pictures(
    root: DataRoot, files: CollectionFiles, shards: list[int], realm: str, request: CollectRequest
) -> tuple[int, int]:
    """Count the pictures that the round wants, and those of them that are still to be bought."""
    wanted = missing = 0
    with Ledger(root.ledger) as ledger:
        for shard in shards:
            rows = ledger.images(_keys(files, shard, realm, request))
            wanted += len(rows)
            missing += sum(row is None or row.state not in FINAL for row in rows)
    return wanted, missing


def _keys(files: CollectionFiles, shard: int, realm: str, request: CollectRequest) -> list[ImageKey]:
    lost, elsewhere, of_point = (
        duplicates_in(files, shard),
        companions_elsewhere(files, shard),
        views_of_shard(files, shard),
    )
    rows = [row for row in read_rows(files.table(FOUND, shard)) if row["status"] == FOUND]
    return [
        ImageKey(realm, member.provider, member.source_id, view)
        for row in rows
        if row["point_id"] not in lost
        for member in panorama_of(row).members
        if (row["point_id"], member.source_id) not in elsewhere
        for view in member.views(request.views)
        if view in of_point.get(row["point_id"], (view,))
    ]


def _by_group(fates: pd.DataFrame) -> pd.DataFrame:
    """Count the fates by group, those with most differences first, and leave out groups without any."""
    table = pd.crosstab([fates["group_id"], fates["group_name"]], fates["fate"])
    table = table.reindex(columns=list(FATES), fill_value=0)
    differences = table[["changed", "new", "gone"]].sum(axis=1).sort_values(ascending=False, kind="stable")
    return table.loc[differences[differences > 0].index].rename_axis(columns=None).reset_index()
