"""Say for each position where it stands: its cell, its city after merging, its town, its admin units, its ground.

In: positions, of panoramas or of anything. Out: labels, kept beside the manifest and never in it. Labels come from a
panorama's own position, not from the point that was asked for, so a relabelling needs no request.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from geolocate.dataset.splits import ground_parts
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.cities import cities_of
from geolocate.geography.grids import cell_ids
from geolocate.geography.partition import ground_partition
from geolocate.geography.places import load_places
from geolocate.geography.regions import Region
from geolocate.geography.towns import towns_at

#: What ``label_positions`` adds to a table, in this order.
LABELS = [
    *("cell", "city", "city_name", "town", "town_id"),
    *("country", "admin1", "admin2", "block_id", "part"),
]

_AT_ONCE = 250_000  # positions: half a gigabyte


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What the labels depend on besides the ground itself."""

    top: int
    cell_km: float
    suburb_overrides: Path | None = None


def label_panoramas(region: Region, positions: pd.DataFrame, settings: LabelSettings) -> pd.DataFrame:
    """Label panoramas, given ``panorama_id, lat, lon`` one row each.

    Returns ``panorama_id, cell, city, town, town_id``; ``city`` is the ``place_id`` of the merged class, or "" where no
    city of the region's ``top`` largest is within reach; ``town`` is an approximation (see ``geography.towns``), and
    ``town_id`` the ``place_id`` of its locality.
    """
    lat, lon = positions["lat"].to_numpy(float), positions["lon"].to_numpy(float)
    towns = towns_at(region, lat, lon)
    return pd.DataFrame(
        {
            "panorama_id": positions["panorama_id"].to_numpy(),
            "cell": cell_ids(region, settings.cell_km, lat, lon),
            "city": cities_of(region, settings.top, settings.suburb_overrides).owners(lat, lon),
            "town": towns["town"].to_numpy(),
            "town_id": towns["place_id"].to_numpy(),
        }
    )


def label_positions(region: Region, positions: pd.DataFrame, settings: LabelSettings) -> pd.DataFrame:
    """Add all labels to a table with ``lat, lon``: the columns of ``LABELS``, "" outside the region.

    ``part`` is what the ground partition allows (train, val, calibration, test, or why none: buffer, sample);
    publishing a dataset may still leave a row out for its capture drive or its class.
    """
    parts = [
        _labels_of(region, positions.iloc[start : start + _AT_ONCE], settings)
        for start in range(0, max(len(positions), 1), _AT_ONCE)
    ]
    kept = positions.drop(columns=[name for name in LABELS if name in positions])
    return pd.concat([kept, pd.concat(parts)], axis=1)


def _labels_of(region: Region, positions: pd.DataFrame, settings: LabelSettings) -> pd.DataFrame:
    labels = pd.DataFrame("", index=positions.index, columns=LABELS, dtype=object)
    inside = boundary_of(region).contains(positions["lat"], positions["lon"])
    here = positions.loc[inside, ["lat", "lon"]].assign(panorama_id="")
    if len(here) == 0:
        return labels
    found = label_panoramas(region, here, settings)
    ground = ground_partition(region, here["lat"], here["lon"])
    names = load_places(region).set_index("place_id")["name"]
    admin = boundary_of(region).admin(here["lat"], here["lon"])
    found = found.assign(
        city_name=found["city"].map(names).fillna(""),
        block_id=ground["block_id"].to_numpy(),
        part=ground_parts(ground),
    )
    for name in ("country", "admin1", "admin2"):
        found[name] = admin[name].fillna("").to_numpy()
    labels.loc[inside] = found[LABELS].to_numpy(object)
    return labels
