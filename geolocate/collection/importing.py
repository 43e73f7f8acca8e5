"""Bring one's own photographs in: the same plan, ledger, store and manifest as for everybody else's.

In: a folder of photographs and the rights in them. Out: a collection in which each photograph is one panorama with
one view.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from geolocate.collection.collect import PhaseProgress, collect
from geolocate.collection.records import CollectionSummary, CollectRequest
from geolocate.errors import ProviderError, RightsError
from geolocate.providers.folder import Photo, photos_in_folder
from geolocate.records import Rights, World
from geolocate.settings import Settings
from geolocate.storage import DataRoot

BASES = ("own", "open-licence")
SHARD_SIZE = 500


def owner_rights(license_id: str, attribution: str, basis: str) -> Rights:
    """Return the rights that the owner of a folder declares; raise RightsError where they say too little."""
    if basis not in BASES and not basis.startswith("agreement:"):
        raise RightsError(f"rights basis {basis!r}: choose own, open-licence or agreement:REFERENCE")
    if not license_id.strip() or not attribution.strip():
        raise RightsError("a licence (an SPDX id such as CC-BY-4.0) and an attribution are needed for every picture")
    return Rights(license_id.strip(), attribution.strip(), basis, World.REAL, terms_version="declared-by-owner")


@dataclass(frozen=True, slots=True)
class PhotoFolder:
    """A folder of photographs, the region that they lie in, and the rights in them."""

    folder: Path
    region: str
    rights: Rights


def import_photos(
    root: DataRoot,
    name: str,
    photos_of: PhotoFolder,
    progress: PhaseProgress = lambda phase, done, total: None,
) -> tuple[CollectionSummary, int]:
    """Collect a folder's photographs; return the summary and how many files have no position.

    Raises ProviderError when no photograph has a position.
    """
    folder = photos_of.folder
    photos, without_position = photos_in_folder(folder)
    if not photos:
        raise ProviderError(
            f"none of the {len(without_position)} photographs in {folder} has a position: add EXIF GPS or a "
            "positions.csv with the columns file,lat,lon,heading"
        )
    settings = Settings(provider="folder", photos=folder)
    request = CollectRequest(name, settings, photos_of.region, views=(), rights=photos_of.rights)
    return collect(root, request, plan_of(photos), progress), len(without_position)


def plan_of(photos: list[Photo]) -> pd.DataFrame:
    """Plan one point a photograph, where it was taken."""
    rows = [
        {
            "point_id": photo.source_id,
            "draw": 0,
            "group_id": photo.file.parent.name,
            "group_name": photo.file.parent.name,
            "lat": photo.lat,
            "lon": photo.lon,
            "radius_m": 1.0,
            "sample_weight": 1.0,
            "shard": place // SHARD_SIZE,
        }
        for place, photo in enumerate(photos)
    ]
    return pd.DataFrame(rows)
