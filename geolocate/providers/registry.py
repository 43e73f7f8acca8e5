"""Choose the provider that the settings name, and refuse what may not be done with it.

In: settings. Out: a provider whose rights belong to the endpoint that will answer.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from geolocate.errors import ProviderError, RightsError, SettingsError
from geolocate.providers.folder import FolderOfPhotos
from geolocate.providers.google import Endpoint, GoogleStreetView
from geolocate.providers.protocol import Provider
from geolocate.records import Rights, World
from geolocate.settings import GOOGLE_URL, Settings

#: The edition of the Maps Platform terms that the row's rights were judged by.
GOOGLE_TERMS = "google-maps-platform-2026-08"


def provider_from_settings(settings: Settings, world_version: str = "", rights: Rights | None = None) -> Provider:
    """Return the provider named in the settings; no request is sent.

    ``world_version`` is what the endpoint says about the emulated world that it shows, see check_endpoint;
    ``rights`` are those that the owner of a folder of photos declares.
    Raises ProviderError for an unknown name, SettingsError for a setting that is missing, and RightsError where
    Google's own host is meant but no agreement is named.
    """
    make = PROVIDERS.get(settings.provider)
    if make is None:
        raise ProviderError(f"unknown provider {settings.provider!r}: choose one of {', '.join(sorted(PROVIDERS))}")
    return make(settings, world_version, rights)


def check_provider(settings: Settings) -> None:
    """Raise what provider_from_settings would raise for these settings, without opening anything."""
    if settings.provider != "folder":
        provider_from_settings(settings)


def world_of(settings: Settings) -> World:
    """Return which world the settings' endpoint shows: the declared one, and the real one for all that need not say."""
    stand_in = settings.provider == "google" and not shows_google_itself(settings)
    return settings.world if stand_in and settings.world else World.REAL


def shows_google_itself(settings: Settings) -> bool:
    """Say whether the base URL is one of Google's own hosts."""
    host = urlsplit(settings.street_view_url).hostname or ""
    return host == "googleapis.com" or host.endswith((".googleapis.com", ".google.com")) or host == "google.com"


def _google(settings: Settings, world_version: str, _rights: Rights | None) -> Provider:
    _check_url(settings.street_view_url)
    if shows_google_itself(settings):
        return GoogleStreetView(_google_itself(settings))
    return GoogleStreetView(_stand_in(settings, world_version))


def _google_itself(settings: Settings) -> Endpoint:
    """Google's own host: a key and an agreement, and always the real world."""
    agreement = (settings.google_agreement or "").strip()
    if not agreement:
        raise RightsError(
            "GEOLOCATE_GOOGLE_AGREEMENT is not set: the Maps Platform terms forbid storing Street View pictures and "
            "training on them; set it to the reference of an agreement with Google that allows you to, or use "
            "`geolocate emulator` or your own photos"
        )
    key = _secret(settings.google_key)
    if not key:
        raise SettingsError(
            "GOOGLE_MAPS_API_KEY is not set: Google's own host answers only with a key; set it, or set "
            "GEOLOCATE_STREET_VIEW_URL and GEOLOCATE_WORLD=emulated for `geolocate emulator`"
        )
    if settings.world is World.EMULATED:
        raise SettingsError("GEOLOCATE_WORLD=emulated contradicts Google's own host, which shows the real world")
    if not settings.street_view_url.startswith("https://"):
        raise SettingsError(f"GEOLOCATE_STREET_VIEW_URL {settings.street_view_url!r}: use https for Google's own host")
    # An empty attribution is filled with the copyright that each panorama's metadata names.
    rights = Rights(
        "LicenseRef-Google-Maps-Platform", "", f"agreement:{agreement}", World.REAL, terms_version=GOOGLE_TERMS
    )
    secret = _secret(settings.google_signing_secret)
    return Endpoint(settings.street_view_url, key, rights, realm=World.REAL.value, signing_secret=secret or None)


def _stand_in(settings: Settings, world_version: str) -> Endpoint:
    """Any other host that speaks the two endpoints must say which world it shows."""
    if settings.world is None:
        raise SettingsError(
            f"GEOLOCATE_STREET_VIEW_URL is {settings.street_view_url}, not {GOOGLE_URL}: declare with "
            "GEOLOCATE_WORLD=emulated that it is the emulator"
        )
    if settings.world is World.REAL:
        raise RightsError(
            f"GEOLOCATE_WORLD=real with {settings.street_view_url}: nothing is known about the rights in its "
            "pictures; use Google's own host, or your own photos with `geolocate data import`"
        )
    rights = Rights("CC0-1.0", "geolocate emulator", "own", World.EMULATED, world_version or "unversioned")
    return Endpoint(
        settings.street_view_url,
        _secret(settings.google_key),
        rights,
        realm=f"{World.EMULATED.value}:{world_version}" if world_version else World.EMULATED.value,
        signing_secret=_secret(settings.google_signing_secret) or None,
    )


def _folder(settings: Settings, _world_version: str, rights: Rights | None) -> Provider:
    if settings.photos is None:
        raise SettingsError("GEOLOCATE_PHOTOS is not set: name the folder of photos, or use `geolocate data import`")
    if rights is None:
        raise RightsError(
            "nobody has said what may be done with these photos: use `geolocate data import FOLDER --license … "
            "--attribution …`"
        )
    return FolderOfPhotos(settings.photos, rights)


def _secret(value: object) -> str:
    reveal: Callable[[], str] | None = getattr(value, "get_secret_value", None)
    return reveal().strip() if reveal else ""


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise SettingsError("GEOLOCATE_STREET_VIEW_URL: give scheme, host and port only, such as http://127.0.0.1:8930")


PROVIDERS: dict[str, Callable[[Settings, str, Rights | None], Provider]] = {"google": _google, "folder": _folder}
