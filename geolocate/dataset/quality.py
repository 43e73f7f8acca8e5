"""Find the pictures that a person should look at: duplicates, grey, dark and empty ones, and panoramas far off.

In: the rows of a dataset version and what was measured of their pictures. Out: one row an image with its measures
and a flag a reason. Nothing is left out for a flag: this only reports.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from geolocate.dataset.measures import thumbnails
from geolocate.geography.distances import geometric_median, haversine_km
from geolocate.manifest.panoramas import one_a_panorama

#: Every reason for a flag, in the order in which the page shows them.
REASONS: Mapping[str, str] = {
    "missing": "not in the store",
    "unreadable": "cannot be decoded",
    "duplicate": "the same file belongs to another panorama too",
    "near_duplicate": "looks the same as a picture of another panorama",
    "near_grey": "nearly all of one colour",
    "too_dark": "too dark",
    "too_bright": "too bright",
    "low_detail": "hardly any detail",
    "far_from_request": "far from the point that was asked for",
    "far_from_class": "far from the other places of its class",
}

# A street has 0.44 of its pixels in the commonest coarse colour, the "no imagery" picture 0.98; collecting refuses
# what is above 0.9, so this lies below.
_NEAR_GREY = 0.8
_DARK, _BRIGHT = 30.0, 225.0
_LOW_DETAIL = 1.5
# Of 64 bits: a picture that was compressed again moves 0 to 4 of them. Skylines alike can do so too: hence both hashes
# and the thumbnails, whose mean difference is in grey levels.
_HASH_BITS = 4
_THUMB_LEVELS = 8.0
_BLOCK = 2048
# Places spread evenly over a disc have their farthest at 1.4 × the median distance, normally spread ones rarely
# beyond 4 ×.
_FAR_TIMES = 4.0
_FAR_REQUEST_KM = 1.0


def quality_of(rows: pd.DataFrame, measures: pd.DataFrame, within_km: float) -> pd.DataFrame:
    """Judge each image of ``rows`` (manifest and labels) by ``measures`` (by sha256, see ``measure_pictures``).

    Nothing within ``within_km`` of the middle of its class is far from it: a few kilometres for a city, the whole of
    a cell for cells, whose places may lie anywhere in it.

    Returns ``image_id, source_id, class_id, sha256``, the measures, ``request_km, class_km`` (distance to the point
    that was asked for, and to the middle of the class), ``like`` (the image of another panorama that looks the same,
    or "") and a boolean column for each of ``REASONS``.
    """
    table = rows[["image_id", "source_id", "panorama_id", "class_id", "sha256"]].reset_index(drop=True)
    scalars = ["readable", "brightness", "contrast", "detail", "common_share", "phash", "dhash"]
    known = measures.reindex(columns=scalars)
    for name in ("phash", "dhash"):
        known[name] = [f"{int(bits):016x}" if pd.notna(bits) else "" for bits in known[name]]
    table = table.merge(known, left_on="sha256", right_index=True, how="left")
    table["request_km"] = haversine_km(rows["lat"], rows["lon"], rows["requested_lat"], rows["requested_lon"])
    table["class_km"] = _class_km(rows)
    table["like"] = _alike(table, measures)
    return table.drop(columns=["readable", "panorama_id"]).assign(**_flags(table, within_km))


def flagged(quality: pd.DataFrame) -> pd.Series:
    """Whether each image has any flag."""
    return quality[list(REASONS)].any(axis=1)


def quality_counts(quality: pd.DataFrame) -> dict[str, Any]:
    """Count for the card: ``images, measured, flagged`` and images by reason."""
    return {
        "images": len(quality),
        "measured": int(quality["brightness"].notna().sum()),
        "flagged": int(flagged(quality).sum()),
        "reasons": {reason: int(quality[reason].sum()) for reason in REASONS},
    }


def _flags(table: pd.DataFrame, within_km: float) -> dict[str, pd.Series]:
    owners = table.groupby("sha256")["panorama_id"].transform("nunique")
    median_km = table.groupby("class_id")["class_km"].transform("median")
    return {
        "missing": table["readable"].isna(),
        "unreadable": table["readable"].eq(False),
        "duplicate": owners > 1,
        "near_duplicate": table["like"] != "",
        "near_grey": table["common_share"] > _NEAR_GREY,
        "too_dark": table["brightness"] < _DARK,
        "too_bright": table["brightness"] > _BRIGHT,
        "low_detail": table["detail"] < _LOW_DETAIL,
        "far_from_request": table["request_km"] > _FAR_REQUEST_KM,
        "far_from_class": table["class_km"] > np.maximum(_FAR_TIMES * median_km, within_km),
    }


def _class_km(rows: pd.DataFrame) -> np.ndarray:
    """Distance in km from each panorama to the geometric median of its class, which one stray place does not move."""
    km = np.zeros(len(rows))
    panoramas = one_a_panorama(rows)
    for class_id, at in rows.reset_index(drop=True).groupby("class_id").groups.items():
        places = panoramas[panoramas["class_id"] == class_id]
        middle = geometric_median(places["lat"], places["lon"])
        km[at] = haversine_km(rows["lat"].to_numpy(float)[at], rows["lon"].to_numpy(float)[at], *middle)
    return km


def _alike(table: pd.DataFrame, measures: pd.DataFrame) -> np.ndarray:
    """For each image, an image of another panorama with another file that looks the same, or ""."""
    if measures.empty:
        return np.full(len(table), "", dtype=object)
    # Flat pictures are all alike, and flagged as such.
    pictures = measures[measures["common_share"] <= _NEAR_GREY]
    owner = table.drop_duplicates("sha256").set_index("sha256")
    sources = owner["panorama_id"].reindex(pictures.index).to_numpy()
    names = owner["image_id"].reindex(pictures.index).to_numpy()
    partner: dict[str, str] = {}
    for first, second in similar_pairs(pictures):
        if sources[first] != sources[second]:
            partner.setdefault(pictures.index[first], names[second])
            partner.setdefault(pictures.index[second], names[first])
    return np.array([partner.get(sha256, "") for sha256 in table["sha256"]], dtype=object)


def similar_pairs(pictures: pd.DataFrame) -> Iterator[tuple[int, int]]:
    """Give the pairs of row numbers (first < second) of readable pictures that look the same.

    All pairs are compared, some thousand rows at once: 2,700 pictures take 0.05 s, 100,000 about a minute.
    """
    phash, dhash = (pictures[name].to_numpy(np.uint64) for name in ("phash", "dhash"))
    thumbs = thumbnails(pictures).reshape(len(pictures), -1)
    for start in range(0, len(pictures), _BLOCK):
        block = slice(start, start + _BLOCK)
        close = np.bitwise_count(phash[block, None] ^ phash[None, start:]) <= _HASH_BITS
        first, second = np.nonzero(close)
        first, second = first + start, second + start
        later = (second > first) & (np.bitwise_count(dhash[first] ^ dhash[second]) <= _HASH_BITS)
        for one, other in zip(first[later].tolist(), second[later].tolist(), strict=True):
            if np.abs(thumbs[one].astype(float) - thumbs[other]).mean() <= _THUMB_LEVELS:
                yield one, other
