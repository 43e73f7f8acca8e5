"""Choose the provider that the settings name, and refuse what may not be done with it.

In: settings. Out: a provider whose rights belong to the endpoint that will answer. A provider is one line of the table
at the end; what it needs of the settings stands in its own module.
"""

from geolocate.errors import ProviderError, RightsError, SettingsError
from geolocate.providers import google_access, google_package, mapillary, panoramax
from geolocate.providers.folder import LAYOUTS, FolderOfPhotos, PhotoFolder
from geolocate.providers.photo_places import FolderOptions
from geolocate.providers.protocol import Provider
from geolocate.providers.sites import Backing, Site, Source
from geolocate.records import Rights, World
from geolocate.settings import Settings


def source_of(settings: Settings) -> Source:
    """Return the table's line of the provider that the settings name; raise ProviderError for an unknown name."""
    source = PROVIDERS.get(settings.provider)
    if source is None:
        raise ProviderError(f"unknown provider {settings.provider!r}: choose one of {', '.join(sorted(PROVIDERS))}")
    return source


def provider_from_settings(settings: Settings, world_version: str = "", backing: Backing | None = None) -> Provider:
    """Return the provider named in the settings; no request is sent.

    ``world_version`` is what the endpoint says about the emulated world that it shows, see check_endpoint;
    ``backing`` holds the rights that the owner of a folder of photos declares, and who counts requests.
    Raises ProviderError for an unknown name, SettingsError for a setting that is missing, and RightsError where
    Google's own host is meant but no agreement is named.
    """
    source = source_of(settings)
    return source.make(settings, source.site(settings, world_version), backing or Backing())


def check_provider(settings: Settings, rights: Rights | None = None) -> None:
    """Raise what provider_from_settings would raise for these settings, without opening anything."""
    source = source_of(settings)
    if source.check is not None:
        source.check(settings, rights)
    else:
        provider_from_settings(settings, backing=Backing(rights))


def world_of(settings: Settings) -> World:
    """Return which world the settings' endpoint shows: the declared one, and the real one for all that need not say."""
    stand_in = not source_of(settings).shows_itself(settings)
    return settings.world if stand_in and settings.world else World.REAL


def shows_google_itself(settings: Settings) -> bool:
    """Say whether the base URL is one of Google's own hosts."""
    return google_access.ADDRESS.is_own(settings)


def _declared(settings: Settings, rights: Rights | None) -> tuple[PhotoFolder, Rights]:
    """Return the folder and its owner's rights; only `geolocate data import` gives both."""
    if rights is None:
        raise RightsError(
            "nobody has said which photos these are and what may be done with them: a folder is brought in with "
            "`geolocate data import FOLDER --license … --attribution …`"
        )
    if settings.photos is None:
        raise SettingsError("GEOLOCATE_PHOTOS is not set: name the folder of photos, or use `geolocate data import`")
    if settings.photos_layout not in LAYOUTS:
        raise SettingsError(f"GEOLOCATE_PHOTOS_LAYOUT {settings.photos_layout!r}: choose one of {', '.join(LAYOUTS)}")
    options = FolderOptions(settings.photos_positions, settings.photos_headings, settings.photos_fov)
    return PhotoFolder(settings.photos, settings.photos_layout, options), rights


def _check_folder(settings: Settings, rights: Rights | None) -> None:
    _declared(settings, rights)


def _folder(settings: Settings, _site: Site, backing: Backing) -> Provider:
    return FolderOfPhotos(*_declared(settings, backing.rights))


PROVIDERS: dict[str, Source] = {
    "google": google_access.SOURCE,
    "google-streetview": google_package.SOURCE,
    "mapillary": mapillary.SOURCE,
    "panoramax": panoramax.SOURCE,
    "folder": Source(_folder, check=_check_folder, client=FolderOfPhotos),
}
