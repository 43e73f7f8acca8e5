"""Turn a panorama's place in the world into an opaque id, and back, without remembering anything.

In: a slot (which tile, road and step). Out: 22 characters as Google's, or a longer id for a user's photosphere.

An id is a keyed tag of the slot followed by the slot itself under a mask made from the tag. Whoever does not know
the seed cannot read a place out of it, and an id that was not issued under the seed does not decode.
"""

import base64
import binascii
from dataclasses import dataclass
from hashlib import blake2b

#: What ids of users' photospheres begin with; they are longer than the 22 characters of Google's own.
PHOTOSPHERE_PREFIX = "CIHM0ogKEICAgIC"


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the places where a panorama can be: a step along a road of a tile.

    ``axis`` 0 leads north, 1 leads east; ``road`` counts a tile's roads of that axis, main road first. ``year`` is that
    of the drive, counted from the frozen world's last: what is driven again has another id.
    """

    row: int
    column: int
    axis: int
    road: int
    step: int
    year: int = 0


def encode_id(seed: int, slot: Slot, photosphere: bool = False) -> str:
    """Return the panorama's id."""
    packed = (((slot.row << 16 | slot.column) << 1 | slot.axis) << 6 | slot.road) << 8 | slot.step
    body = packed.to_bytes(7, "big") + bytes([photosphere | slot.year << 1])
    tag = _digest(seed, b"tag", body)
    text = base64.urlsafe_b64encode(tag + _masked(seed, tag, body)).rstrip(b"=").decode()
    return PHOTOSPHERE_PREFIX + text if photosphere else text


def as_photosphere(pano_id: str) -> str:
    """Give an id the look of a user's photosphere; it stands for no panorama."""
    return pano_id if pano_id.startswith(PHOTOSPHERE_PREFIX) else PHOTOSPHERE_PREFIX + pano_id


def decode_id(seed: int, text: str) -> Slot | None:
    """Return the slot that the id stands for, or None when this seed never issued it."""
    photosphere = text.startswith(PHOTOSPHERE_PREFIX)
    core = text.removeprefix(PHOTOSPHERE_PREFIX)
    if len(core) != 22 or not core.isascii():
        return None
    try:
        raw = base64.b64decode(core + "==", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    body = _masked(seed, raw[:8], raw[8:])
    packed = int.from_bytes(body[:7], "big")
    slot = Slot(packed >> 31, packed >> 15 & 0xFFFF, packed >> 14 & 1, packed >> 8 & 0x3F, packed & 0xFF, body[7] >> 1)
    # Encoding again also refuses an id whose unused last bits were changed.
    return slot if slot.row < 1 << 16 and encode_id(seed, slot, photosphere) == text else None


def _masked(seed: int, tag: bytes, body: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(body, _digest(seed, b"mask", tag), strict=True))


def _digest(seed: int, purpose: bytes, body: bytes) -> bytes:
    return blake2b(body, digest_size=8, key=str(seed).encode(), person=purpose).digest()
