"""Keep finished pictures, so that asking again costs no drawing.

In: keys and pictures. Out: the picture kept under a key, until newer ones need its room.
"""

from collections import OrderedDict
from collections.abc import Hashable

#: Room for about 1,600 pictures of 320 × 320.
DEFAULT_BYTES = 64 << 20


class PictureCache:
    """Holds the pictures asked for last, up to ``max_bytes`` in all."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pictures: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Return the picture kept under the key, or None."""
        if (body := self._pictures.get(key)) is not None:
            self._pictures.move_to_end(key)
        return body

    def put(self, key: Hashable, body: bytes) -> None:
        """Keep a picture; those unused for longest make room."""
        self._bytes += len(body) - len(self._pictures.pop(key, b""))
        self._pictures[key] = body
        while self._bytes > self._max_bytes:
            _, dropped = self._pictures.popitem(last=False)
            self._bytes -= len(dropped)
