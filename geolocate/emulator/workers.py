"""The pool of processes that draws.

In: scenes asked for by the server. Out: JPEG bytes, drawn outside the server's own process.
"""

import asyncio
import logging
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context, parent_process

from geolocate.emulator.camera import Camera
from geolocate.emulator.scenes import draw_scene
from geolocate.emulator.world import Surroundings

log = logging.getLogger(__name__)


def _start_worker() -> None:
    """Leave Ctrl-C to the server, and end with it even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


class DrawingPool:
    """Draws scenes in worker processes; each scene is a pure function of its arguments."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._executor = self._start()

    async def draw(self, surroundings: Surroundings, camera: Camera, nuisance: int) -> bytes:
        """Draw one scene; should a worker have been killed meanwhile, draw it again with new workers."""
        executor, work = self._executor, partial(draw_scene, surroundings, camera, nuisance)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(executor, work)
        except BrokenProcessPool:
            if self._executor is executor:
                log.warning("a drawing process died; starting %d new ones", self._processes)
                executor.shutdown(wait=False)
                self._executor = self._start()
            return await loop.run_in_executor(self._executor, work)

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, not forked: the server runs threads, and a forked copy of one can hang.
        return ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"), initializer=_start_worker)

    def close(self) -> None:
        """End all workers; scenes not begun are dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)
