"""Rows in which the views of a panorama are flat photographs of one place: each with an id, a position, a creator."""

import numpy as np


def as_flat_places(rows, every=2, reach_m=8.0):
    """Turn every ``every``-th panorama into a place of flat photographs; the first one keeps its id and position."""
    rows = rows.reset_index(drop=True).copy()
    places = rows["source_id"].drop_duplicates().iloc[::every]
    others = rows["source_id"].isin(places) & rows.duplicated("source_id")
    turn = np.radians(rows.loc[others, "heading"].to_numpy(float) * 1.7 + np.arange(others.sum()))
    rows.loc[others, "lat"] += reach_m / 111_195 * np.cos(turn)
    rows.loc[others, "lon"] += reach_m / 69_000 * np.sin(turn)
    names = rows.loc[others, "source_id"] + "-" + rows.loc[others, "heading"].astype(int).astype(str)
    rows.loc[others, "source_id"] = names
    if "creator" in rows:
        rows.loc[others, "creator"] = "walker " + names.str[-4:]
    return rows
