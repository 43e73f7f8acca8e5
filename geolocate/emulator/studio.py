"""Where pictures of panoramas are made, for every endpoint that answers with one.

In: a panorama and where the camera looks. Out: JPEG bytes, drawn by the worker processes or remembered.
"""

from geolocate.emulator import pictures
from geolocate.emulator.cache import PictureCache
from geolocate.emulator.camera import Camera
from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.panoramas import EmulatedPanorama
from geolocate.emulator.tally import Tally
from geolocate.emulator.workers import DrawingPool
from geolocate.emulator.world import surroundings_at
from geolocate.errors import StorageError


class Studio:
    """Lives in the one process that answers; draws in its worker processes."""

    def __init__(self, config: EmulatorConfig, tally: Tally) -> None:
        self._seed = config.seed
        self._dummy = config.pictures == "dummy"
        self._tally = tally
        self._finished = PictureCache()
        self._pool = DrawingPool(config.worker_count)

    async def photograph(self, panorama: EmulatedPanorama, camera: Camera) -> bytes:
        """Return the picture; the same panorama and camera give the same bytes."""
        if self._dummy:
            return pictures.dummy_picture(f"{self._seed} {panorama.pano_id} {camera}", camera.width, camera.height)
        if (body := self._finished.get((panorama.pano_id, camera))) is not None:
            return body
        surroundings = surroundings_at(
            self._seed, panorama.lat, panorama.lon, panorama.road_bearing, panorama.road_rank
        )
        if surroundings is None:  # panoramas lie on mapped ground only
            raise StorageError(f"panorama {panorama.pano_id} lies outside the mapped world")
        body = await self._pool.draw(surroundings, camera, panorama.nuisance)
        self._finished.put((panorama.pano_id, camera), body)
        self._tally.counters["drawn"] += 1
        return body

    def close(self) -> None:
        """End the worker processes."""
        self._pool.close()
