"""Make the Street View client that the settings describe, and refuse what Google's terms do not allow.

In: settings and the site. Out: a client whose rights are those of the endpoint that will answer.
"""

from geolocate.errors import RightsError, SettingsError
from geolocate.providers.google import Endpoint, GoogleStreetView
from geolocate.providers.signing import sign
from geolocate.providers.sites import Address, Backing, Site, Source
from geolocate.records import Rights, World
from geolocate.settings import Settings, revealed

#: The edition of the Maps Platform terms that the row's rights were judged by.
GOOGLE_TERMS = "google-maps-platform-2026-08"
#: Requests for pictures that Google answers in a day without a signature.
UNSIGNED_A_DAY = 25_000
ADDRESS = Address("street_view_url", "GEOLOCATE_STREET_VIEW_URL", ("googleapis.com", "google.com"))


def google_endpoint(settings: Settings, site: Site) -> Endpoint:
    """Return where the two endpoints are, with key and rights.

    Google's own host needs a key and an agreement: raises SettingsError or RightsError where one of them is missing,
    and SettingsError for a signing secret that is none.
    """
    rights = site.emulated_rights if site.world is World.EMULATED else _agreed(settings)
    secret = revealed(settings.google_signing_secret)
    if secret:
        sign("", secret)  # a secret that is none is told before anything is sent
    return Endpoint(
        settings.street_view_url,
        revealed(settings.google_key),
        rights,
        site.realm,
        signing_secret=secret or None,
        images_a_day=UNSIGNED_A_DAY if site.world is World.REAL and not secret else None,
    )


def _agreed(settings: Settings) -> Rights:
    agreement = (settings.google_agreement or "").strip()
    if not agreement:
        raise RightsError(
            "GEOLOCATE_GOOGLE_AGREEMENT is not set: the Maps Platform terms forbid storing Street View pictures and "
            "training on them; set it to the reference of an agreement with Google that allows you to, or use "
            "`geolocate emulator` or your own photos"
        )
    if not revealed(settings.google_key):
        raise SettingsError(
            "GOOGLE_MAPS_API_KEY is not set: Google's own host answers only with a key; set it, or set "
            "GEOLOCATE_STREET_VIEW_URL and GEOLOCATE_WORLD=emulated for `geolocate emulator`"
        )
    # An empty attribution is filled with the copyright that each panorama's metadata names.
    return Rights(
        "LicenseRef-Google-Maps-Platform", "", f"agreement:{agreement}", World.REAL, terms_version=GOOGLE_TERMS
    )


def _google(settings: Settings, site: Site, _backing: Backing) -> GoogleStreetView:
    return GoogleStreetView(google_endpoint(settings, site))


SOURCE = Source(_google, (ADDRESS,), client=GoogleStreetView)
