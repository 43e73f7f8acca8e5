"""Decide whether a request may be answered: its key, its signature, and how many came before it.

In: what the server was started with and a request's path and query. Out: nothing, or AccessError or QuotaError.
"""

import base64
import binascii
import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, field

from geolocate.errors import ProviderError, SettingsError


class AccessError(ProviderError):
    """The request is refused: REQUEST_DENIED to metadata, status 403 to an image."""


class QuotaError(ProviderError):
    """Too many requests for pictures; ``retry_after_s`` says when the next may come, None where that is another day."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Quota:
    """How many requests for pictures are answered: each minute, and unsigned ones each day (UTC); None: any number.

    Minutes and days are those of the clock. Metadata uses no quota.
    """

    per_minute: int | None = None
    unsigned_per_day: int | None = None
    _used: Counter[tuple[str, int]] = field(default_factory=Counter)

    def spend(self, signed: bool, now_s: float) -> None:
        """Count one request at a moment in Unix seconds.

        Raises QuotaError for one too many, which is not counted.
        """
        minute, day = ("minute", int(now_s // 60)), ("day", int(now_s // 86_400))
        if self.per_minute is not None and self._used[minute] >= self.per_minute:
            raise QuotaError("Too many requests in this minute.", retry_after_s=60 - int(now_s % 60))
        if not signed and self.unsigned_per_day is not None and self._used[day] >= self.unsigned_per_day:
            raise QuotaError(
                "You have exceeded your daily request quota for this API. Requests without a digital signature are "
                "limited: sign them."
            )
        self._used[minute] += 1
        self._used[day] += not signed
        for period in [each for each in self._used if each not in (minute, day)]:
            del self._used[period]


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
