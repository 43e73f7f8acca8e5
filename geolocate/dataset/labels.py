"""Say for each panorama where it stands: its cell, its city after merging, its town.

In: positions of panoramas. Out: labels, kept beside the manifest and never in it. Labels come from the panorama's
own position, not from the point that was asked for, so a relabelling needs no request.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from geolocate.geography.cities import cities_of
from geolocate.geography.grids import cell_ids
from geolocate.geography.places import top_places
from geolocate.geography.regions import Region
from geolocate.geography.suburbs import merge_suburbs
from geolocate.geography.towns import town_names


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What the labels depend on besides the ground itself."""

    top: int
    cell_km: float
    suburb_overrides: Path | None = None


def label_panoramas(region: Region, positions: pd.DataFrame, settings: LabelSettings) -> pd.DataFrame:
    """Label panoramas, given ``source_id, lat, lon`` one row each.

    Returns ``source_id, cell, city, town``; ``city`` is the ``place_id`` of the merged class, or
    "" where no city of the region's ``top`` largest is within reach.
    """
    lat, lon = positions["lat"].to_numpy(float), positions["lon"].to_numpy(float)
    return pd.DataFrame(
        {
            "source_id": positions["source_id"].to_numpy(),
            "cell": cell_ids(region, settings.cell_km, lat, lon),
            "city": cities_of(region, settings.top, settings.suburb_overrides).owners(lat, lon),
            "town": town_names(region, lat, lon),
        }
    )


def merged_cities(region: Region, settings: LabelSettings) -> pd.DataFrame:
    """Merge the region's ``top`` largest places: ``place_id, name, parent_id, parent_name, reason, distance_km``."""
    return merge_suburbs(region, top_places(region, settings.top), settings.suburb_overrides)
