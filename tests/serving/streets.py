"""A run that was trained and fitted on streets as the emulator draws them, in six cities."""

from functools import cache
from pathlib import Path

import pandas as pd

from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.emulator.camera import Camera
from geolocate.emulator.scenes import draw_scene
from geolocate.emulator.world import surroundings_at
from geolocate.evaluation.fit_answering import fit_answering
from geolocate.evaluation.val_distance import val_distance
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot, sha256_of
from geolocate.training.config import TrainConfig
from geolocate.training.loop import train
from tests.evaluation.trained import CITIES
from tests.manifest.rows import manifest_rows

RUN = "streets"
SEED, SIDE, PLACES = 0, 128, 24


@cache
def streets_root(folder: Path) -> DataRoot:
    """Draw, publish and train in ``folder``: so many places a city that their ground has calibration blocks too."""
    root = DataRoot(folder)
    rows = pd.concat(
        [
            _drawn(root, manifest_rows(PLACES, lat=lat, lon=lon, spread=0.1, seed=number))
            for number, (lat, lon) in enumerate(CITIES.values())
        ],
        ignore_index=True,
    )
    write_manifest(rows, root.collection(RUN) / "manifest" / "0000.parquet")
    dataset = open_dataset(root, str(publish(root, PublishRequest(name=RUN, collections=(RUN,), top=20))))
    train(root, dataset, TrainConfig(pixels=SIDE, epochs=6), RUN, validate=val_distance(dataset))
    fit_answering(root, RUN)
    return root


def street(lat: float, lon: float, heading: float, drive: int) -> bytes:
    """A JPEG of the emulated street at a position, on a day of its own."""
    where = surroundings_at(SEED, lat, lon, 40.0, 1)
    return draw_scene(where, Camera(heading, 0.0, 90.0, SIDE, SIDE), drive)


def _drawn(root: DataRoot, rows: pd.DataFrame) -> pd.DataFrame:
    seen = zip(rows["lat"], rows["lon"], rows["heading"], rows["panorama_id"], strict=True)
    days = {panorama: number for number, panorama in enumerate(rows["panorama_id"].unique())}
    bodies = [street(lat, lon, heading, days[panorama]) for lat, lon, heading, panorama in seen]
    for body in bodies:
        path = root.image(sha256_of(body))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return rows.assign(sha256=[sha256_of(body) for body in bodies], bytes=[len(body) for body in bodies])
