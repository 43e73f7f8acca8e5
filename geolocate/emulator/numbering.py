"""Give contributions numbers as ids, as some services do, and find a contribution by its number.

In: a contribution's panorama and number within it. Out: 16 digits that tell nothing of the place, and the way back.
"""

from geolocate.emulator.contributors import Contribution, contributions_of
from geolocate.emulator.identifiers import Slot, decode_id, encode_id
from geolocate.emulator.panoramas import panorama_by_id
from geolocate.geography.hashing import mix

#: Numbers begin here, so that all have 16 digits.
_FIRST = 10**15
_HALF_BITS = 25
_MASK = (1 << _HALF_BITS) - 1
_ROUNDS = 4
_ROWS = 180 * 100


def number_of(seed: int, one: Contribution) -> int:
    """Return a contribution's number. Raises ValueError for a panorama that the seed never issued."""
    slot = decode_id(seed, one.panorama.pano_id)
    if slot is None:
        raise ValueError(f"panorama {one.panorama.pano_id} is none of the world of seed {seed}")
    place = (((slot.row << 16 | slot.column) << 1 | slot.axis) << 6 | slot.road) << 8 | slot.step
    return _FIRST + _scrambled(seed, place << 2 | one.number)


def contribution_by_number(seed: int, service: str, number: int) -> Contribution | None:
    """Return the contribution with the number, or None when there is none."""
    value = number - _FIRST
    if not 0 <= value < 1 << 2 * _HALF_BITS:
        return None
    place, which = divmod(_unscrambled(seed, value), 4)
    slot = Slot(place >> 31, place >> 15 & 0xFFFF, place >> 14 & 1, place >> 8 & 0x3F, place & 0xFF)
    panorama = panorama_by_id(seed, encode_id(seed, slot)) if slot.row < _ROWS else None
    if panorama is None:
        return None
    return next((one for one in contributions_of(service, panorama) if one.number == which), None)


def _scrambled(seed: int, value: int) -> int:
    """Permute 50 bits under the seed (a Feistel network)."""
    left, right = value >> _HALF_BITS, value & _MASK
    for turn in range(_ROUNDS):
        left, right = right, left ^ mix(seed, 11, turn, right) & _MASK
    return left << _HALF_BITS | right


def _unscrambled(seed: int, value: int) -> int:
    left, right = value >> _HALF_BITS, value & _MASK
    for turn in reversed(range(_ROUNDS)):
        left, right = right ^ mix(seed, 11, turn, left) & _MASK, left
    return left << _HALF_BITS | right
