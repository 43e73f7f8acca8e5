"""A folder of photographs: one's own by their positions, or Street View pictures that other programs have left.

In: a folder and its layout, and the rights that are declared. Out: panoramas: a flat photograph has one view, a 360°
picture any view that is cut from it here, and the pictures of one place stand together.
"""

import asyncio
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from geolocate.providers.equirectangular import cut_view, width_for
from geolocate.providers.google_folders import geoguessr_places, google_streetview_places
from geolocate.providers.photo_places import UNREADABLE, FolderOptions, Photo, Place, own_photos
from geolocate.records import Miss, OutcomeStatus, Panorama, Picture, Rights, SamplePoint, View, World

#: How a folder may be laid out, and what reads it.
LAYOUTS: dict[str, Callable[[Path, FolderOptions], list[Place]]] = {
    "photos": own_photos,
    "google-streetview": google_streetview_places,
    "geoguessr-lstm": geoguessr_places,
}
#: The layouts whose pictures are Google's: their rights are Google's too, and an agreement is needed.
OF_GOOGLE = frozenset({"google-streetview", "geoguessr-lstm"})
_QUALITY = 92
#: What stands for a picture that does not decode: a beginning without an end.
_CUT_OFF = b"\xff\xd8"


@dataclass(frozen=True)
class PhotoFolder:
    """A folder, its layout, and what its files do not say."""

    path: Path
    layout: str = "photos"
    options: FolderOptions = field(default_factory=FolderOptions)

    def places(self) -> list[Place]:
        """Return the places that the folder shows. Raises ProviderError for a folder that is not laid out so."""
        return LAYOUTS[self.layout](self.path, self.options)


class FolderOfPhotos:
    """The provider over a folder; it asks nobody, and nothing of it costs."""

    name = "folder"
    price_micro_usd = 0
    requests_per_second = 10_000.0
    images_a_day: int | None = None

    def __init__(self, folder: PhotoFolder, rights: Rights) -> None:
        self.rights = rights
        # Pictures of the emulator belong to the version that drew them.
        emulated = rights.world is World.EMULATED
        self.realm = f"{rights.world.value}:{rights.terms_version}" if emulated else rights.world.value
        places = folder.places()
        self._places = {place.point_id: place for place in places}
        self._spheres = {photo.source_id: photo for place in places for photo in place.photos if photo.view is None}
        self._files = {(photo.source_id, photo.view): photo.file for place in places for photo in place.photos}
        # An answer holds as long as the folder says the same, and the same rights are declared.
        told = repr((sorted(places, key=lambda place: place.point_id), rights))
        self.source = hashlib.sha256(told.encode()).hexdigest()[:16]

    async def find(self, point: SamplePoint) -> Panorama | Miss:
        """Return the place that the point was planned for; the plan's points are the folder's own places."""
        place = self._places.get(point.point_id)
        if place is None:
            return Miss(OutcomeStatus.NO_IMAGERY, "no longer in the folder")
        if place.miss is not None:
            return place.miss
        first, *others = [self._panorama(photo) for photo in place.photos]
        return replace(first, companions=tuple(others))

    async def fetch(self, panorama: Panorama, view: View) -> Picture:
        """Read the photograph's file, or cut the view from it."""
        sphere = self._spheres.get(panorama.source_id)
        if sphere is not None:
            return await asyncio.to_thread(_cut, sphere, view)
        file = self._files.get((panorama.source_id, view))
        return await asyncio.to_thread(_read, file) if file else Picture(b"", "", 404)

    async def close(self) -> None:
        """There is nothing to give back."""

    def _panorama(self, photo: Photo) -> Panorama:
        rights = self.rights
        return Panorama(
            photo.provider,
            photo.source_id,
            photo.lat,
            photo.lon,
            photo.captured,
            rights if rights.attribution else replace(rights, attribution=photo.attribution),
            creator=photo.attribution or None,
            camera=photo.camera,
            native=photo.view,
            azimuth=photo.azimuth if photo.view is None else None,
        )


def _read(file: Path) -> Picture:
    """Read a file; one that went away since, or was never written, is empty: that says nothing of the panorama."""
    try:
        return Picture(file.read_bytes(), "image/jpeg", 200)
    except OSError:
        return Picture(b"", "image/jpeg", 200)


def _cut(sphere: Photo, view: View) -> Picture:
    out = io.BytesIO()
    try:
        with Image.open(sphere.file, formats=("JPEG",)) as image:
            # The decoder can leave out what is finer than the view needs: several times as fast.
            image.draft("RGB", (width_for(view), width_for(view) // 2))
            cut_view(image.convert("RGB"), view, sphere.azimuth).save(out, "JPEG", quality=_QUALITY)
    except UNREADABLE:
        return Picture(_CUT_OFF, "image/jpeg", 200)
    return Picture(out.getvalue(), "image/jpeg", 200)
