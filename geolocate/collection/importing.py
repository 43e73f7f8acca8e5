"""Bring pictures that are here already in: the same plan, ledger, store and manifest as for everybody else's.

In: a folder of photographs, its layout, and the rights in them. Out: a collection with one planned point a place; a
file without a position, or that is no picture, is a point too, and its outcome says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from geolocate.collection.collect import PhaseProgress, collect
from geolocate.collection.records import STANDARD_VIEWS, CollectionSummary, CollectRequest
from geolocate.errors import ProviderError, RightsError
from geolocate.providers import check_endpoint
from geolocate.providers.folder import LAYOUTS, OF_GOOGLE, PhotoFolder
from geolocate.providers.google_access import GOOGLE_TERMS
from geolocate.providers.photo_places import FolderOptions, Place
from geolocate.providers.registry import shows_google_itself, source_of
from geolocate.records import Rights, View, World
from geolocate.settings import Settings, settings_from_environment
from geolocate.storage import DataRoot

BASES = ("own", "open-licence")
SHARD_SIZE = 500


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the user says of the rights; None where nothing was said."""

    license: str | None = None
    attribution: str | None = None
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """A folder, its layout, the region that it lies in, and the rights in it.

    ``views`` are cut from 360° pictures; their headings and field of view are also those of Street View pictures that
    do not say theirs.
    """

    folder: Path
    region: str
    rights: Rights
    layout: str = "photos"
    positions: Path | None = None
    views: Sequence[View] = field(default=STANDARD_VIEWS)
    headings_told: bool = False


def declared_rights(layout: str, told: Declaration) -> Rights:
    """Return the rights in a folder's pictures; raise RightsError where the user says too little for the layout."""
    if layout not in LAYOUTS:
        raise ProviderError(f"unknown layout {layout!r}: choose one of {', '.join(LAYOUTS)}")
    if layout in OF_GOOGLE:
        return _google_rights(told, settings_from_environment(provider="google"))
    return owner_rights(told.license or "", told.attribution or "", told.basis or "own")


def owner_rights(license_id: str, attribution: str, basis: str) -> Rights:
    """Return the rights that the owner of a folder declares; raise RightsError where they say too little."""
    if basis not in BASES and not basis.startswith("agreement:"):
        raise RightsError(f"rights basis {basis!r}: choose own, open-licence or agreement:REFERENCE")
    if not license_id.strip() or not attribution.strip():
        raise RightsError("a licence (an SPDX id such as CC-BY-4.0) and an attribution are needed for every picture")
    return Rights(license_id.strip(), attribution.strip(), basis, World.REAL, terms_version="declared-by-owner")


def _google_rights(told: Declaration, settings: Settings) -> Rights:
    """Return the rights in Street View pictures, by the rule of those that are bought: an agreement is needed.

    Pictures of the emulator carry the emulator's rights; it must be running, and say which world it shows.
    """
    if settings.world is World.EMULATED and not shows_google_itself(settings):
        return source_of(settings).site(settings, check_endpoint(settings)).emulated_rights
    agreement = (settings.google_agreement or "").strip()
    basis = told.basis or (f"agreement:{agreement}" if agreement else "")
    if not basis.removeprefix("agreement:").strip() or not basis.startswith("agreement:"):
        raise RightsError(
            f"rights basis {basis or 'none'} for Street View pictures: the Maps Platform terms forbid keeping them and "
            "training on them; name the agreement with Google that allows you to, as --basis agreement:REFERENCE or "
            "in GEOLOCATE_GOOGLE_AGREEMENT"
        )
    license_id = told.license or "LicenseRef-Google-Maps-Platform"
    return Rights(license_id, told.attribution or "", basis, World.REAL, terms_version=GOOGLE_TERMS)


def import_folder(
    root: DataRoot, name: str, order: ImportOrder, progress: PhaseProgress = lambda phase, done, total: None
) -> CollectionSummary:
    """Collect a folder's pictures.

    Raises ProviderError when the folder is not laid out so, or none of its files has a position.
    """
    told = order.views if order.headings_told else ()
    settings = Settings(
        provider="folder",
        photos=order.folder,
        photos_layout=order.layout,
        photos_positions=order.positions,
        photos_headings=tuple(view.heading for view in told),
        photos_fov=order.views[0].fov,
    )
    options = FolderOptions(order.positions, settings.photos_headings, settings.photos_fov)
    places = PhotoFolder(order.folder, order.layout, options).places()
    if not any(place.photos for place in places):
        first = places[0].miss
        raise ProviderError(
            f"none of the {len(places)} pictures in {order.folder} can be used ({first.detail if first else ''}): a "
            "position in EXIF, or a positions.csv with the columns file,lat,lon,heading is needed"
        )
    request = CollectRequest(name, settings, order.region, views=tuple(order.views), rights=order.rights)
    return collect(root, request, plan_of(places), progress)


def plan_of(places: Sequence[Place]) -> pd.DataFrame:
    """Plan one point a place, where its pictures were taken; NaN where that is not known."""
    rows = [
        {
            "point_id": place.point_id,
            "draw": 0,
            "group_id": place.group,
            "group_name": place.group,
            "lat": place.lat,
            "lon": place.lon,
            "radius_m": 1.0,
            "sample_weight": 1.0,
            "shard": number // SHARD_SIZE,
            "source_id": place.point_id,
        }
        for number, place in enumerate(places)
    ]
    return pd.DataFrame(rows)
