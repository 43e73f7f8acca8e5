"""Let many requests share one commit of the ledger.

In: small operations on the ledger from many coroutines. Out: their results, once the commit that holds them is on the
disk.
"""

from collections.abc import Callable
from typing import Any, Self, TypeVar

from geolocate.collection.grouping import Grouped
from geolocate.collection.ledger import Ledger

T = TypeVar("T")


class LedgerWriter:
    """Use as an asynchronous context around everything that touches the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._grouped: Grouped[Callable[[Ledger], Any], Any] = Grouped(self._commit, "ledger")

    async def __aenter__(self) -> Self:
        await self._grouped.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._grouped.__aexit__(*error)

    async def do(self, operation: Callable[[Ledger], T]) -> T:
        """Run the operation inside the next commit, and return when it is on the disk.

        Raises StorageError when the commit fails; nothing of the group is written then.
        """
        result: T = await self._grouped.do(operation)
        return result

    async def read(self, operation: Callable[[Ledger], T]) -> T:
        """Run an operation that writes nothing: between two commits, and without keeping other processes waiting."""
        return await self._grouped.alone(lambda: operation(self._ledger))

    def _commit(self, operations: list[Callable[[Ledger], Any]]) -> list[Any]:
        with self._ledger.transaction():
            return [operation(self._ledger) for operation in operations]
