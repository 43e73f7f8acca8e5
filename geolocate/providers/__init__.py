"""Where pictures come from: one small protocol, and the providers behind it.

- the protocol and its errors: protocol; the table of providers: registry, sites; the first question: preflight
- Google: google, google_access, signing; the google-streetview package as its client: google_package
- Mapillary: mapillary, mapillary_entities, vector_tiles, coverage_store, batches
- Panoramax: panoramax, panoramax_items
- files: folder, photo_places, picture_tags, positions, google_folders
- shared by several: http_client, retry_after, places (what shows a place), spheres and equirectangular (360° pictures)
"""

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
