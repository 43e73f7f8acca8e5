"""Ask once, before anything is planned to be paid, whether anybody answers at the provider's address.

In: settings. Out: the version of the emulated world that will answer, or one clear line.
"""

import requests

from geolocate.errors import ProviderError
from geolocate.providers.google import is_this_machine
from geolocate.providers.registry import check_provider, shows_google_itself
from geolocate.settings import Settings

TIMEOUT_S = 10.0


def check_endpoint(settings: Settings) -> str:
    """Return the world version that the endpoint names ("" for Google's own host and for folders).

    Raises what check_provider raises, before anything is sent, and ProviderError when nobody answers or
    somebody else does.
    """
    if settings.provider != "google":
        return ""
    check_provider(settings)
    url = settings.street_view_url.rstrip("/")
    if shows_google_itself(settings):
        _answer(url)
        return ""
    answer = _answer(f"{url}/health")
    try:
        health = answer.json()
        version = str(health["world_version"])
    except (ValueError, KeyError, TypeError):
        raise ProviderError(
            f"{url} answers, but it is no Street View emulator ({answer.status_code} for /health): check "
            "GEOLOCATE_STREET_VIEW_URL, or run `geolocate emulator` on another port"
        ) from None
    return f"{version}-{health['seed']}" if "seed" in health else version


def _answer(url: str) -> requests.Response:
    try:
        with requests.Session() as session:
            session.trust_env = not is_this_machine(url)
            return session.get(url, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        # requests' own message repeats the URL several times and ends in a memory address.
        raise ProviderError(
            f"nobody answers at {url.removesuffix('/health')} ({type(error).__name__}): run `geolocate emulator` in "
            "another terminal, or set GEOLOCATE_PROVIDER and GEOLOCATE_STREET_VIEW_URL to one that runs"
        ) from None
