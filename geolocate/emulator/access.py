"""Decide whether a request may be answered: its key and its signature.

In: what the server was started with and a request's path and query. Out: nothing, or AccessError.
"""

import base64
import binascii
import hashlib
import hmac

from geolocate.errors import ProviderError, SettingsError


class AccessError(ProviderError):
    """The request is refused: REQUEST_DENIED to metadata, status 403 to an image."""


def decode_secret(text: str) -> bytes:
    """Decode a URL signing secret.

    Raises SettingsError, which does not show the secret.
    """
    text = text.strip()
    try:
        secret = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not secret:
        raise SettingsError("the signing secret is not base64url: give it as Google shows it, such as 'vNIXE0xs…='")
    return secret


def sign(path_and_query: str, secret: bytes) -> str:
    """Sign a path with its query, without scheme and host, as Google does (HMAC-SHA1, base64url)."""
    digest = hmac.new(secret, path_and_query.encode(), hashlib.sha1).digest()
    return base64.urlsafe_b64encode(digest).decode()


def check_key(key: str, allowed: tuple[str, ...]) -> None:
    """Let a request through when its key is one of the allowed; with none configured any key will do, but one it needs.

    Raises AccessError.
    """
    if not key:
        raise AccessError("You must use an API key to authenticate each request to Google Maps Platform APIs.")
    if allowed and not any(hmac.compare_digest(key.encode(), known.encode()) for known in allowed):
        raise AccessError("The provided API key is invalid.")


def check_signature(path_and_query: str, secret: bytes) -> None:
    """Let a request through when its last parameter is the right signature of all before it.

    Raises AccessError.
    """
    signed, separator, signature = path_and_query.rpartition("&signature=")
    if not separator:
        raise AccessError("The request is not signed: append &signature= as the last parameter.")
    if not hmac.compare_digest(signature.replace("%3D", "="), sign(signed, secret)):
        raise AccessError("Unable to authenticate the request. Provided 'signature' is not valid.")
