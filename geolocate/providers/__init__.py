"""Where pictures come from: one small protocol, and the providers behind it."""

from geolocate.providers.preflight import check_endpoint
from geolocate.providers.protocol import Provider, QuotaError, RefusedError, ThrottledError, UnreachableError
from geolocate.providers.registry import PROVIDERS, provider_from_settings

__all__ = [
    "PROVIDERS",
    "Provider",
    "QuotaError",
    "RefusedError",
    "ThrottledError",
    "UnreachableError",
    "check_endpoint",
    "provider_from_settings",
]
