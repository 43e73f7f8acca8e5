"""Ask once, before anything is planned to be paid, whether anybody answers at the provider's address.

In: settings. Out: the version of the emulated world that will answer, or one clear line.
"""

import requests

from geolocate.errors import ProviderError
from geolocate.providers.google import is_this_machine
from geolocate.providers.registry import check_provider, source_of
from geolocate.providers.sites import Address
from geolocate.records import Rights
from geolocate.settings import Settings

TIMEOUT_S = 10.0


def check_endpoint(settings: Settings, rights: Rights | None = None) -> str:
    """Return the world version that the endpoint names ("" for a provider's own host and for folders).

    Raises what check_provider raises, before anything is sent, and ProviderError when nobody answers or
    somebody else does.
    """
    check_provider(settings, rights)
    source = source_of(settings)
    versions = [_version(address, settings) for address in source.addresses]
    for address, version in zip(source.addresses, versions, strict=True):
        if version != versions[0]:
            raise ProviderError(
                f"{address.variable} shows version {version or 'none'} of the emulated world, "
                f"{source.addresses[0].variable} {versions[0] or 'none'}: let them name the same host"
            )
    return versions[0] if versions else ""


def _version(address: Address, settings: Settings) -> str:
    url = address.url(settings)
    if address.is_own(settings):
        _answer(url, address)
        return ""
    answer = _answer(f"{url}/health", address)
    try:
        health = answer.json()
        version = str(health["world_version"])
    except (ValueError, KeyError, TypeError):
        raise ProviderError(
            f"{url} answers, but it is no Street View emulator ({answer.status_code} for /health): check "
            f"{address.variable}, or run `geolocate emulator` on another port"
        ) from None
    return f"{version}-{health['seed']}" if "seed" in health else version


def _answer(url: str, address: Address) -> requests.Response:
    try:
        with requests.Session() as session:
            session.trust_env = not is_this_machine(url)
            return session.get(url, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        # requests' own message repeats the URL several times and ends in a memory address.
        raise ProviderError(
            f"nobody answers at {url.removesuffix('/health')} ({type(error).__name__}): run `geolocate emulator` in "
            f"another terminal, or set GEOLOCATE_PROVIDER and {address.variable} to one that runs"
        ) from None
