"""What became of each place from one version of a dataset to the one that takes its place, in all and by class.

In: the rows of both versions. Out: how many panoramas were added, changed, gone or forgotten, and of which class. Where
``difference`` compares images, this compares places: a panorama that was driven anew has another id, and is a change.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from geolocate.dataset.splits import PARTS
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.manifest.tombstones import is_forgotten
from geolocate.storage import DataRoot

#: What may become of a place, in the order in which it is told.
FATES = ("added", "changed", "gone", "forgotten", "unchanged")
#: Two panoramas of one planned point are of one place; where collections number their points alike, they were also
#: asked for at the same position.
_POINT = ["point_id"]
_POSITION = ["point_id", "requested_lat", "requested_lon"]
_COLUMNS = ["panorama_id", "source_id", *_POSITION, "lat", "lon", "creator", "captured", "class_id", "class_name"]


@dataclass(frozen=True)
class Changes:
    """``places`` has one row a place of either version: ``panorama_id, lat, lon, class_id, class_name, fate``.

    A place counts to the class in which it is now, or was when it is no more.
    """

    places: pd.DataFrame

    @property
    def totals(self) -> dict[str, int]:
        """How many places had each fate."""
        counts = self.places["fate"].value_counts()
        return {fate: int(counts.get(fate, 0)) for fate in FATES}

    def by_class(self) -> pd.DataFrame:
        """Count the fates by class, most changes first, without classes in which nothing changed."""
        table = pd.crosstab([self.places["class_id"], self.places["class_name"]], self.places["fate"])
        table = table.reindex(columns=list(FATES), fill_value=0)
        changed = table.drop(columns="unchanged").sum(axis=1).sort_values(ascending=False, kind="stable")
        return table.loc[changed[changed > 0].index].rename_axis(columns=None).reset_index()

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {"places": self.totals, "by_class": self.by_class().to_dict(orient="records")}


def changes_of(root: DataRoot, before: pd.DataFrame, after: pd.DataFrame) -> Changes:
    """Compare the rows (manifest, labels and classes) of two versions, as they were published.

    Where a forgotten panorama has a successor, one place is forgotten and another added.
    """
    old, new = (one_a_panorama(rows)[_COLUMNS].reset_index(drop=True) for rows in (before, after))
    place = _POSITION if old["point_id"].duplicated().any() or new["point_id"].duplicated().any() else _POINT
    date = old.set_index("panorama_id")["captured"].fillna("")
    stays = new["panorama_id"].isin(old["panorama_id"])
    same_date = new["panorama_id"].map(date).fillna("") == new["captured"].fillna("")
    left = old[~old["panorama_id"].isin(new["panorama_id"])]
    forgotten = is_forgotten(root, left)
    replaces = ~stays & _are_among(new[place], left.loc[~forgotten, place])
    fates = np.select([stays & same_date, stays | replaces], ["unchanged", "changed"], "added")
    replaced = ~forgotten & _are_among(left[place], new.loc[replaces, place])
    ended = left.assign(fate=np.where(forgotten, "forgotten", "gone"))[~replaced]
    columns = ["panorama_id", "lat", "lon", "class_id", "class_name", "fate"]
    return Changes(pd.concat([new.assign(fate=fates)[columns], ended[columns]], ignore_index=True))


def _are_among(rows: pd.DataFrame, others: pd.DataFrame) -> "pd.Series[bool]":
    """Say of each row whether it is among the others."""
    return pd.Series(pd.MultiIndex.from_frame(rows).isin(pd.MultiIndex.from_frame(others)), index=rows.index)


def moved_ground(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Return the ground blocks that are of one part in one version and of another in the other: there must be none."""
    parts = [
        rows.loc[rows["part"].isin(PARTS), ["block_id", "part"]].drop_duplicates().set_index("block_id")["part"]
        for rows in (before, after)
    ]
    both = parts[0].to_frame("before").join(parts[1].rename("after"), how="inner")
    return sorted(set(both.index[both["before"] != both["after"]]))
