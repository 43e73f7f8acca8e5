"""Do in one go what many coroutines wait for.

In: a function from a list of items to the list of their results, and items one by one. Out: each item's own result.
While a thread works on one group the next items gather, so that slow work makes larger groups instead of more
threads, and one change of threads serves many items.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Self, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")


class Grouped(Generic[In, Out]):
    """Use as an asynchronous context around everything that calls ``do``."""

    def __init__(self, work: Callable[[list[In]], list[Out]], name: str, threads: int = 1) -> None:
        self._work = work
        self._threads = threads
        self._waiting: list[tuple[In, asyncio.Future[Out]]] = []
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._work_for_ever()) for _ in range(self._threads)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=True)

    async def do(self, item: In) -> Out:
        """Return the item's result, once the group that it belongs to is done.

        Raises what the work raised on the group; nobody of the group has a result then.
        """
        done: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        self._wake.set()
        return await done

    async def alone(self, work: Callable[[], T]) -> T:
        """Run something else in the same thread, between two groups."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def _work_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            group, self._waiting = self._waiting, []
            if not group:
                continue
            try:
                results = await loop.run_in_executor(self._pool, self._work, [item for item, _ in group])
            except Exception as error:
                # Whatever went wrong belongs to those who wait for it: without this they would wait for ever.
                for _, done in group:
                    if not done.done():
                        done.set_exception(error)
                continue
            for (_, done), result in zip(group, results, strict=True):
                if not done.done():
                    done.set_result(result)
