"""What changed between two dataset versions: per image, per class, per part.

In: two versions as they were published. Out: which images were added, removed, changed (and in what) or forgotten.
Images are told by their id, which names a view of a panorama, so that a new picture of it is a change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from geolocate.dataset.changes import changes_of
from geolocate.dataset.versions import DatasetRef, DatasetVersion, read_version
from geolocate.manifest.tombstones import without_forgotten
from geolocate.storage import DataRoot

#: What may change in an image that both versions have, and the columns that tell.
ASPECTS: Mapping[str, tuple[str, ...]] = {
    "picture": ("sha256",),
    "position": ("lat", "lon"),
    "place": ("panorama_id",),
    "class": ("class_id",),
    "part": ("part",),
    "caption": ("caption",),
    "captured": ("captured",),
    "rights": ("license", "attribution", "rights_basis", "retain_until"),
}
#: What became of an image between the versions.
FATES = ("added", "removed", "changed", "forgotten", "same")

#: Two requests that differ in one of these give other versions of the same pictures.
_SETTINGS = (
    "region",
    "level",
    "top",
    "cell_km",
    "suburb_overrides",
    "partition_version",
    "collections",
    "world_version",
)


@dataclass(frozen=True)
class Difference:
    """What changed from ``before`` to ``after``.

    ``images`` has a row an image of either: ``image_id, source_id, fate``, a boolean column for each of ``ASPECTS``,
    and ``class_before, class_after, part_before, part_after`` (class names; missing where it is not in that version).
    ``settings`` gives, for each request that differs, the values before and after. ``places`` counts the places by what
    became of them, see ``changes``: a place that was photographed anew has other images, and is one change.
    """

    before: DatasetRef
    after: DatasetRef
    settings: dict[str, tuple[Any, Any]]
    images: pd.DataFrame
    places: dict[str, int]

    @property
    def totals(self) -> dict[str, int]:
        """How many images had each fate."""
        return _counts(self.images["fate"], FATES)

    @property
    def aspects(self) -> dict[str, int]:
        """In how many of the changed images each aspect changed."""
        return {aspect: int(self.images[aspect].sum()) for aspect in ASPECTS}

    def by(self, what: str) -> pd.DataFrame:
        """Count the fates by ``class`` or ``part``, most changes first; a moved image counts where it is now."""
        where = self.images[f"{what}_after"].fillna(self.images[f"{what}_before"]).rename(what)
        table = pd.crosstab(where, self.images["fate"]).reindex(columns=list(FATES), fill_value=0)
        order = table.drop(columns="same").sum(axis=1).sort_values(ascending=False, kind="stable").index
        return table.loc[order].rename_axis(columns=None).reset_index()

    def moves(self, what: str) -> pd.DataFrame:
        """Count the images that went from one ``class`` or ``part`` to another: ``before, after, images``."""
        moved = self.images[self.images[what]].rename(columns={f"{what}_before": "before", f"{what}_after": "after"})
        return moved.value_counts(["before", "after"]).rename("images").reset_index()

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "before": str(self.before),
            "after": str(self.after),
            "settings": {name: {"before": old, "after": new} for name, (old, new) in self.settings.items()},
            "images": self.totals,
            "places": self.places,
            "changed_in": self.aspects,
            **{f"by_{what}": self.by(what).to_dict(orient="records") for what in ("class", "part")},
            **{f"{what}_moves": self.moves(what).to_dict(orient="records") for what in ("class", "part")},
        }


def compare_versions(root: DataRoot, before: str, after: str) -> Difference:
    """Compare two versions, ``NAME@VERSION`` each, of one dataset or of two.

    What was forgotten since counts as forgotten, whichever version held it. Raises what ``read_version`` raises.
    """
    old, new = read_version(root, before), read_version(root, after)
    pairs = _paired(old.frame, new.frame)
    images = pairs[["image_id", "source_id"]].copy()
    for aspect, columns in ASPECTS.items():
        images[aspect] = (pairs["_merge"] == "both") & _differs(pairs, columns)
    images["fate"] = _fates(root, pairs, images[list(ASPECTS)].any(axis=1))
    living = images["fate"] != "forgotten"
    for aspect in ASPECTS:
        images[aspect] &= living
    for what, column in (("class", "class_name"), ("part", "part")):
        images[f"{what}_before"], images[f"{what}_after"] = pairs[f"{column}_before"], pairs[f"{column}_after"]
    places = changes_of(root, old.frame, new.frame).totals
    return Difference(old.ref, new.ref, _changed_settings(old, new), images, places)


def _paired(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """One row an image of either version, with what tombstones look at under the plain names."""
    pairs = old.merge(new, on="image_id", how="outer", suffixes=("_before", "_after"), indicator=True)
    for name in ("source_id", "lat", "lon", "creator"):
        pairs[name] = pairs[f"{name}_after"].where(pairs["_merge"] != "left_only", pairs[f"{name}_before"])
    return pairs


def _differs(pairs: pd.DataFrame, columns: tuple[str, ...]) -> "pd.Series[bool]":
    differs = pd.Series(data=False, index=pairs.index)
    for column in columns:
        old, new = pairs[f"{column}_before"], pairs[f"{column}_after"]
        differs |= (old != new).fillna(value=True).astype(bool) & ~(old.isna() & new.isna())
    return differs


def _fates(root: DataRoot, pairs: pd.DataFrame, changed: "pd.Series[bool]") -> "pd.Series[str]":
    fate = pairs["_merge"].map({"left_only": "removed", "right_only": "added", "both": "same"}).astype(object)
    fate = fate.where(~changed, "changed")
    return fate.where(pairs.index.isin(without_forgotten(root, pairs).index), "forgotten")


def _changed_settings(old: DatasetVersion, new: DatasetVersion) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (old.card.get(name), new.card.get(name)) for name in _SETTINGS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _counts(values: pd.Series, names: tuple[str, ...]) -> dict[str, int]:
    counts = values.value_counts()
    return {name: int(counts.get(name, 0)) for name in names}
