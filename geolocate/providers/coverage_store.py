"""Keep the coverage tiles that were asked for, so that no run and no collection asks for one twice.

In: positions. Out: the pictures around them; a tile that is not on disk yet is fetched once, however many points of a
run lie in it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from geolocate.providers.vector_tiles import Coverage, Tile, decode_coverage, joined, tiles_around
from geolocate.records import SamplePoint
from geolocate.storage import atomic_write

#: Tiles that stay decoded in memory: 10,000 pictures take about 1 MB.
_KEPT = 256


class CoverageStore:
    """Tiles under one folder, as ``14/<x>/<y>.mvt``; one from before a point's ``since`` is asked for again."""

    def __init__(self, folder: Path, fetch: Callable[[Tile], Awaitable[bytes]]) -> None:
        self._folder = folder
        self._fetch = fetch
        self._tiles: OrderedDict[Tile, asyncio.Task[Coverage]] = OrderedDict()

    async def around(self, point: SamplePoint) -> Coverage:
        """Return the pictures of all tiles that the point's circle touches. Raises what ``fetch`` raises."""
        tiles = tiles_around(point.lat, point.lon, point.radius_m)
        return joined([await self._coverage(tile, point.since) for tile in tiles])

    async def close(self) -> None:
        """Give up what nobody waits for any more."""
        for task in self._tiles.values():
            task.cancel()
        await asyncio.gather(*self._tiles.values(), return_exceptions=True)

    async def _coverage(self, tile: Tile, since: str) -> Coverage:
        task = self._tiles.get(tile)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._tiles[tile] = asyncio.create_task(self._load(tile, since))
            self._make_room()
        self._tiles.move_to_end(tile)
        return await asyncio.shield(task)

    async def _load(self, tile: Tile, since: str) -> Coverage:
        file = self._folder / f"{tile.path}.mvt"
        if file.exists() and _is_of(file, since):
            return await asyncio.to_thread(lambda: decode_coverage(file.read_bytes(), tile))
        body = await self._fetch(tile)
        # Decoded first: what is no tile is not kept.
        coverage = await asyncio.to_thread(decode_coverage, body, tile)
        await asyncio.to_thread(_keep, file, body)
        return coverage

    def _make_room(self) -> None:
        done = [tile for tile, task in self._tiles.items() if task.done()]
        for tile in done[: max(0, len(self._tiles) - _KEPT)]:
            del self._tiles[tile]


def _is_of(file: Path, since: str) -> bool:
    """Say whether a file was written at the moment, or later."""
    return not since or file.stat().st_mtime >= datetime.fromisoformat(since).timestamp()


def _keep(file: Path, body: bytes) -> None:
    with atomic_write(file) as out:
        out.write(body)
