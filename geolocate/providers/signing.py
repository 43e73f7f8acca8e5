"""Sign a request as Google's Maps Platform asks, and keep secrets out of every text.

The signature covers path and query, not the host, so an emulator can verify it
(https://developers.google.com/maps/documentation/streetview/digital-signature).
"""

import base64
import binascii
import hashlib
import hmac
import re
from urllib.parse import quote, quote_plus

from geolocate.errors import SettingsError

_PARAMETER = re.compile(r"(?i)\b(key|signature|client|access_token)=[^&\s\"'<>]+")


def sign(path_and_query: str, secret: str) -> str:
    """Return the URL-safe Base64 HMAC-SHA1 of path and query.

    Raises SettingsError when the secret is not URL-safe Base64.
    """
    try:
        key = base64.b64decode(secret, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SettingsError(
            "GOOGLE_MAPS_SIGNING_SECRET is not URL-safe Base64: copy it again from the Cloud Console's credentials page"
        ) from None
    digest = hmac.new(key, path_and_query.encode(), hashlib.sha1).digest()
    return base64.urlsafe_b64encode(digest).decode()


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text without the given secrets, in whichever encoding, and without any key or signature parameter."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret)} - {""}:
            text = text.replace(form, "[redacted]")
    return _PARAMETER.sub(lambda match: f"{match[1]}=[redacted]", text)
