"""Turn labelled panoramas into train, val, calibration and test, and prove that the parts share nothing.

In: panoramas with their positions, capture dates and classes. Out: for each exactly one part, or why it is in none.
The ground decides first (``geography.partition``: it looks at nothing but the position), then capture drives, then
classes. Rows are never moved to another part, only left out; test rows only where their class has no training place.

A place of several flat photographs goes where its first one stands. The others lie within metres; where one of them
stands on ground of another part, the whole place is left out, so that what is proven holds for each photograph.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from geolocate.errors import DatasetError
from geolocate.geography.distances import nearest_km
from geolocate.geography.partition import assert_no_shared_ground, ground_partition, partition_version
from geolocate.geography.regions import Region
from geolocate.manifest.panoramas import is_first_photograph, speakers

PARTS = ("train", "val", "calibration", "test")

#: Why a row is in no part.
LEFT_OUT = {
    "buffer": "too near to test ground",
    "astride": "of a place whose photographs stand on ground of two parts",
    "sequence": "of a capture drive that test rows share",
    "sample": "kept for the probability sample",
    "unseen": "of a class without a training place",
}

#: Classes that a line names before it stops.
_NAMED = 5

_PLACED = ["panorama_id", "block_id", "part", "sample"]
_PROVEN = ["source_id", "lat", "lon", "town", "captured", "sequence_id", *_PLACED]

Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]


def split_panoramas(region: Region, panoramas: pd.DataFrame) -> pd.DataFrame:
    """Return ``block_id``, ``part`` and ``sample`` of panoramas: one row a photograph, under their index.

    ``panoramas`` has ``source_id, panorama_id, lat, lon, town, captured, sequence_id, class_id``; the photographs of
    one place get the same. ``part`` is one of ``PARTS`` or of ``LEFT_OUT``. ``sample`` marks the probability sample,
    whatever the part: test rows may belong to both test sets.
    """
    ground = ground_partition(region, panoramas["lat"], panoramas["lon"])
    own, first = ground_parts(ground), speakers(panoramas)
    part = own[first]
    part = np.where(np.isin(part, PARTS) & _any_of_place(own != part, first), "astride", part)
    test = part == "test"
    shared = _any_of_place(shares_drive(panoramas, test, region.partition.sequence_km), first)
    part = np.where(np.isin(part, PARTS) & ~test & shared, "sequence", part)
    learned = panoramas["class_id"].isin(panoramas.loc[part == "train", "class_id"].unique())
    part = np.where(np.isin(part, PARTS) & ~learned, "unseen", part)
    placed = ground.iloc[first]
    columns = {"block_id": placed["block_id"].to_numpy(), "part": part, "sample": placed["sample"].to_numpy()}
    return pd.DataFrame(columns, index=panoramas.index)


def _any_of_place(flags: Flags, first: npt.NDArray[np.intp]) -> Flags:
    """Mark every photograph of the places of which one is marked; ``first`` numbers each photograph's first."""
    marked = np.zeros(len(flags), dtype=bool)
    marked[first[flags]] = True
    return marked[first]


def ground_parts(ground: pd.DataFrame) -> Texts:
    """Say what each position allows: test or another part by its block, else ``sample`` or ``buffer``."""
    part = ground["part"].to_numpy(str)
    return np.select([part == "test", ground["sample"], ground["in_buffer"]], ["test", "sample", "buffer"], part)


def shares_drive(panoramas: pd.DataFrame, test: Flags, reach_km: float) -> Flags:
    """Mark the rows of a capture sequence that the rows marked by ``test`` (N,) belong to, those rows included.

    A sequence is the provider's own where it names one. Where it does not, rows captured in the same month as a test
    row, in the same town or within ``reach_km`` of it, are taken for its drive: a drive crosses the borders of towns.
    Rows without a date share one with each other only.
    """
    named = panoramas["sequence_id"].notna().to_numpy(bool)
    sequences = panoramas["sequence_id"].to_numpy(object)
    shared = named & np.isin(sequences.astype(str), sequences[test & named].astype(str))
    month = panoramas["captured"].astype(object).where(panoramas["captured"].notna(), "").astype(str).str[:7]
    lat, lon = panoramas["lat"].to_numpy(float), panoramas["lon"].to_numpy(float)
    town = pd.factorize(panoramas["town"])[0]
    unnamed = np.flatnonzero(~named)
    for rows in pd.Series(unnamed).groupby(month.to_numpy(object)[unnamed]).indices.values():
        here = unnamed[rows]
        of_test = here[test[here]]
        if len(of_test):
            near = nearest_km(lat[here], lon[here], lat[of_test], lon[of_test]) <= reach_km
            shared[here] = near | np.isin(town[here], town[of_test])
    return shared


def split_costs(panoramas: pd.DataFrame) -> dict[str, Any]:
    """Count what the split costs, given ``class_id, part, sample``, one row a panorama.

    Returns ``panoramas`` and ``sample`` (counts), ``by_part``, ``left_out`` by reason, and ``classes_without``: for
    each part the ids of the classes that lost all of it. Plain values, as they stand in a card.
    """
    counts = panoramas["part"].value_counts()
    classes = set(panoramas["class_id"])
    return {
        "panoramas": len(panoramas),
        "by_part": {part: int(counts.get(part, 0)) for part in PARTS},
        "left_out": {reason: int(counts.get(reason, 0)) for reason in LEFT_OUT},
        "sample": int(panoramas["sample"].sum()),
        "classes": len(classes),
        "classes_without": {
            part: sorted(classes - set(panoramas.loc[panoramas["part"] == part, "class_id"])) for part in PARTS
        },
    }


def cost_lines(costs: Mapping[str, Any], names: "pd.Series[str]", without_class: int) -> list[str]:
    """Say what a split costs, in lines to print; ``names`` has the classes' names under their ids.

    ``without_class`` panoramas of the collections did not even come to be split.
    """
    total = max(costs["panoramas"], 1)
    parts = ", ".join(f"{part} {costs['by_part'][part]}" for part in PARTS)
    lines = [f"{costs['panoramas']} panoramas: {parts}; {costs['sample']} in the probability sample"]
    lines += [
        f"left out, {reason}: {costs['left_out'][reason]} ({costs['left_out'][reason] / total:.0%}), {meaning}"
        for reason, meaning in LEFT_OUT.items()
        if costs["left_out"][reason]
    ]
    if without_class:
        lines.append(f"left out before: {without_class} panoramas of no class of this region, level and top")
    for part in PARTS:
        if ids := costs["classes_without"].get(part):
            some = ", ".join(str(names.get(one, one)) for one in ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")
            lines.append(f"classes without {part}: {len(ids)} of {costs['classes']} ({some})")
    return lines


def prove_split(region: Region, frame: pd.DataFrame, version: str) -> None:
    """Prove that the parts of ``frame`` (one row an image) are those of the ground, and share neither ground nor drive.

    ``version`` is the partition under which they were split. Nothing is believed: blocks are computed again from the
    positions, distances are measured, drives are looked up, for each photograph by itself; only the block and the
    probability sample are those of a place's first one. Raises DatasetError naming the first thing that is wrong.
    """
    current = partition_version(region)
    if version != current:
        raise DatasetError(
            f"split under ground partition {version!r}, while region {region.name!r} now has {current!r}: "
            "publish the dataset again, or restore the region's [partition]"
        )
    panoramas = frame[_PROVEN].drop_duplicates(["source_id", *_PLACED], ignore_index=True)
    first = is_first_photograph(panoramas)
    ground = ground_partition(region, panoramas["lat"], panoramas["lon"])
    part, kept = panoramas["part"], panoramas["part"].isin(PARTS)
    test = (part == "test").to_numpy()
    _refuse(panoramas, panoramas["source_id"].duplicated(), "is in two parts")
    wrong_block, wrong_sample = ((panoramas[name] != ground[name]) & first for name in ("block_id", "sample"))
    _refuse(panoramas, wrong_block, "stands in another block than the one it names")
    _refuse(panoramas, wrong_sample, "is or is not in the probability sample, wrongly")
    places = panoramas.drop_duplicates(_PLACED)
    _refuse(places, places["panorama_id"].duplicated(), "is of a place that is in two parts")
    _refuse(panoramas, ~part.isin([*PARTS, *LEFT_OUT]), "is in a part that there is not")
    _refuse(panoramas, kept & (part != ground_parts(ground)), "is in another part than its ground")
    assert_no_shared_ground(panoramas[kept & ~test], panoramas[test], region.partition.buffer_km)
    shared = shares_drive(panoramas, test, region.partition.sequence_km)
    _refuse(panoramas, kept & ~test & shared, "shares a capture drive with test rows")


def _refuse(panoramas: pd.DataFrame, wrong: "pd.Series[bool]", what: str) -> None:
    if wrong.any():
        first = panoramas[wrong].iloc[0]
        others = f", and {int(wrong.sum()) - 1} more" if wrong.sum() > 1 else ""
        raise DatasetError(
            f"the split leaks: panorama {first['source_id']} ({first['part']}, at {first['lat']:.5f}, "
            f"{first['lon']:.5f}) {what}{others}; publish the dataset again"
        )
