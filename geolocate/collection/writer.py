"""Let many requests share one commit of the ledger.

In: small operations on the ledger from many coroutines. Out: their results, once the commit that holds them is on the
disk. While one commit is under way the next operations gather, so that a slow disk makes larger groups instead of
fewer requests a second.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from geolocate.collection.ledger import Ledger

T = TypeVar("T")
_Operation = tuple[Callable[[Ledger], Any], "asyncio.Future[Any]"]


class LedgerWriter:
    """Use as an asynchronous context around everything that touches the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[_Operation] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._commit_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)

    async def do(self, operation: Callable[[Ledger], T]) -> T:
        """Run the operation inside the next commit, and return when it is on the disk.

        Raises StorageError when the commit fails; nothing of the group is written then.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, done))
        self._wake.set()
        return await done

    async def _commit_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            group, self._waiting = self._waiting, []
            try:
                results = await loop.run_in_executor(self._thread, self._commit, [operation for operation, _ in group])
            except Exception as error:
                # Whatever went wrong belongs to those who wait for it: without this they would wait for ever.
                for _, done in group:
                    if not done.done():
                        done.set_exception(error)
                continue
            for (_, done), result in zip(group, results, strict=True):
                if not done.done():
                    done.set_result(result)

    def _commit(self, operations: list[Callable[[Ledger], Any]]) -> list[Any]:
        with self._ledger.transaction():
            return [operation(self._ledger) for operation in operations]
