"""A small published dataset and two runs trained on it: real files, made once for all tests that read them."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.evaluation.val_distance import val_distance
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot, sha256_of
from geolocate.training.config import TrainConfig
from geolocate.training.loop import train
from tests.manifest.rows import manifest_rows

CITIES = {
    "London": (51.507, -0.128),
    "Leeds": (53.797, -1.548),
    "Bristol": (51.455, -2.588),
    "Glasgow": (55.865, -4.258),
    "Cardiff": (51.481, -3.179),
    "Leicester": (52.637, -1.139),
}
RUNS = ("cities-s0", "cities-s1")
#: Whoever took the first panoramas of each city; nobody is named for the others.
CREATOR, WALKED = "Ann Walker", 3


@cache
def trained_root(folder: Path) -> DataRoot:
    """Collect, publish and train in ``folder``: six cities of 30 places with three views each, two seeds."""
    root = DataRoot(folder)
    rows = [city_rows(root, seed, *position) for seed, position in enumerate(CITIES.values())]
    write_manifest(pd.concat(rows, ignore_index=True), root.collection("cities") / "manifest" / "0000.parquet")
    dataset = open_dataset(root, str(publish(root, PublishRequest(name="cities", collections=("cities",), top=20))))
    for seed, run in enumerate(RUNS):
        config = TrainConfig(pixels=64, epochs=6, batch_size=64, seed=seed)
        train(root, dataset, config, run, validate=val_distance(dataset))
    return root


def picture(hue: float, rng: np.random.Generator, side: int = 64) -> bytes:
    """A JPEG with sky, a horizon and ground of a city's colour, and noise that varies with the place."""
    pixels = np.zeros((side, side, 3))
    horizon = int(side * rng.uniform(0.4, 0.6))
    pixels[:horizon] = (150, 180, 215)
    pixels[horizon:] = 128 + 90 * np.cos(2 * np.pi * (hue + np.array([0, 1, 2]) / 3))
    noisy = np.clip(pixels + rng.normal(0, 25, (side, side, 1)) + rng.normal(0, 12, 3), 0, 255).astype(np.uint8)
    body = io.BytesIO()
    Image.fromarray(noisy).save(body, "JPEG", quality=80)
    return body.getvalue()


def city_rows(root: DataRoot, seed: int, lat: float, lon: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = manifest_rows(30, lat=lat, lon=lon, spread=0.03, seed=seed)
    bodies = [picture(seed / len(CITIES) + rng.normal(0, 0.06), rng) for _ in range(len(rows))]
    for body in bodies:
        path = root.image(sha256_of(body))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    shown = {"sha256": [sha256_of(body) for body in bodies], "bytes": [len(body) for body in bodies]}
    named = {"creator": CREATOR, "attribution": f"© {CREATOR}"}
    rows.loc[rows["source_id"].isin(rows["source_id"].unique()[:WALKED]), list(named)] = list(named.values())
    return rows.assign(**shown, sample_weight=1.0 + seed)
