"""A published dataset with real pictures: made once for all tests that only read, copied for those that write."""

import shutil
from functools import cache
from pathlib import Path

import pandas as pd

from geolocate.dataset import PublishRequest, publish
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot
from tests.dataset.scenes import scene, with_pictures
from tests.manifest.rows import manifest_rows

CITIES = {
    "London": (51.507, -0.128),
    "Leeds": (53.797, -1.548),
    "Bristol": (51.455, -2.588),
}
PANORAMAS = 25


def city_rows(root, **columns):
    """Rows of all cities with pictures in the store; ``creator`` is the city, ``group_id`` its number."""
    frames = [
        manifest_rows(PANORAMAS, lat=lat, lon=lon, spread=0.03, seed=seed).assign(creator=city, group_id=f"g{seed}")
        for seed, (city, (lat, lon)) in enumerate(CITIES.items())
    ]
    return with_pictures(root, pd.concat(frames, ignore_index=True), lambda number, _: scene(number)).assign(**columns)


def request(**changes):
    return PublishRequest(**{"name": "cities", "collections": ("cities",), "top": 20, **changes})


def write_cities(root, **columns):
    write_manifest(city_rows(root, **columns), root.collection("cities") / "manifest" / "00000.parquet")


@cache
def published_root(folder: Path) -> DataRoot:
    """Publish the cities in ``folder``."""
    root = DataRoot(folder)
    write_cities(root)
    publish(root, request())
    return root


def copy_of(root: DataRoot, folder: Path) -> DataRoot:
    """Copy a whole root, to be written to."""
    shutil.copytree(root.path, folder)
    return DataRoot(folder)
