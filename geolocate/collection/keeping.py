"""Judge pictures and put them into the store, several with one change of threads.

In: answers to image requests, with the view that was wanted. Out: a settlement each: kept, with hash and size, once
the file is on the disk under its final name; or why it is no picture.
"""

from dataclasses import dataclass
from typing import Self

from geolocate.collection.entries import Settlement
from geolocate.collection.grouping import Grouped
from geolocate.collection.validation import PASSING, why_not
from geolocate.records import Picture, Rights, View
from geolocate.storage import DataRoot, sha256_of, write_all

#: Decoding and flushing leave the interpreter to other threads, so that two of them use two cores; more would take
#: turns with the event loop.
_THREADS = 2
#: What certainly costs nothing: a request called bad, refused, or failed over there. All else counts as paid.
_FREE = (400, 401, 403, 429, 500, 503)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to an image request: what was wanted, and what may be done with it."""

    picture: Picture
    view: View
    rights: Rights


class Keeper:
    """Use as an asynchronous context around everything that keeps pictures."""

    def __init__(self, root: DataRoot) -> None:
        self._root = root
        self._grouped: Grouped[Answer, Settlement] = Grouped(self._keep, "keeper", threads=_THREADS)

    async def __aenter__(self) -> Self:
        await self._grouped.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._grouped.__aexit__(*error)

    async def keep(self, answer: Answer) -> Settlement:
        """Return what is to be settled: the file is durable before this returns ``kept``.

        Raises StorageError when the disk is full.
        """
        return await self._grouped.do(answer)

    def _keep(self, answers: list[Answer]) -> list[Settlement]:
        settlements = [_judged(answer) for answer in answers]
        # Also where there is a file of that name: it may be cut, and would then be paid for in every run.
        kept = {
            self._root.image(settlement.sha256): answer.picture.body
            for answer, settlement in zip(answers, settlements, strict=True)
            if settlement.sha256
        }
        write_all(kept)
        return settlements


def _judged(answer: Answer) -> Settlement:
    picture = answer.picture
    reason = why_not(picture, answer.view)
    if reason is not None:
        state = "open" if reason in PASSING else "rejected"
        billed = picture.http_status not in _FREE
        return Settlement(state, billed=billed, reason=reason, http_status=picture.http_status)
    return Settlement(
        "kept",
        sha256=sha256_of(picture.body),
        bytes=len(picture.body),
        rights=answer.rights,
        http_status=picture.http_status,
    )
