"""Gather questions that are asked at about the same moment into one request.

In: ids, one at a time, from many places at once. Out: what was told of each. An open service is asked fifty times less
often so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

#: How long the first question waits for others: nothing beside a request's own time.
_GATHER_S = 0.01
_MOST = 50

#: What is told of each id; ids that nothing is known of are left out.
Told = dict[str, dict[str, Any]]


class Batches:
    """Asks about up to ``_MOST`` ids at a time; an id that is asked for twice meanwhile is sent once."""

    def __init__(self, ask: Callable[[list[str]], Awaitable[Told]]) -> None:
        self._ask = ask
        self._waiting: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def about(self, one: str) -> dict[str, Any] | None:
        """Return what is told of one id, None where nothing is. Raises what the request raised."""
        answer = self._waiting.get(one)
        if answer is None:
            answer = self._waiting[one] = asyncio.get_running_loop().create_future()
            if len(self._waiting) == 1:
                self._start(_GATHER_S)
            elif len(self._waiting) == _MOST:
                self._start(0)
        # Who gives up waiting must not take the answer from the others.
        return await asyncio.shield(answer)

    async def close(self) -> None:
        """Give up what nobody waits for any more."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _start(self, wait_s: float) -> None:
        task = asyncio.create_task(self._send(wait_s))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        batch, self._waiting = self._waiting, {}
        if not batch:
            return
        ids = sorted(batch)
        for start in range(0, len(ids), _MOST):
            await self._tell(ids[start : start + _MOST], batch)

    async def _tell(self, ids: list[str], batch: dict[str, asyncio.Future[dict[str, Any] | None]]) -> None:
        told = (await asyncio.gather(self._ask(ids), return_exceptions=True))[0]
        for one in ids:
            answer = batch[one]
            if isinstance(told, BaseException):
                answer.set_exception(told)
                # Somebody who has given up does not look at it: no warning for that.
                answer.exception()
            elif not answer.done():
                answer.set_result(told.get(one))
