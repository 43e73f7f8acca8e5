"""A small collection of the emulated world that was published, and the same world a year and a half later."""

import numpy as np
import pandas as pd

from geolocate.collection import CollectRequest, Pace, collect
from geolocate.dataset import PublishRequest, publish
from geolocate.emulator.server import EmulatorConfig
from geolocate.records import View, World
from geolocate.settings import Settings
from geolocate.storage import DataRoot

#: Both show the same world: which month it is makes no other.
THEN = EmulatorConfig(port=0, pictures="dummy", processes=1)
NOW = EmulatorConfig(port=0, pictures="dummy", processes=1, today="2026-06")
VIEWS = (View(0.0, width=64, height=64), View(90.0, width=64, height=64))
NAME = "towns"
FIRST = PublishRequest(name=NAME, collections=(NAME,), level="cell", cell_km=100)


def settings_for(root: DataRoot, url: str, **changes) -> Settings:
    fields = {"street_view_url": url, "world": World.EMULATED, "google_key": "emulator", "data": root.path}
    return Settings(_env_file=None, **{**fields, **changes})


def plan_of_towns() -> pd.DataFrame:
    """Points in two places: a town with imagery everywhere, and hills where many points have none."""
    rng = np.random.default_rng(5)
    grounds = [("London", 51.5, -0.1, 0.05, 30), ("Powys", 52.6, -3.6, 0.2, 70)]
    rows = [
        {
            "point_id": f"g{group}-{point:04d}",
            "draw": draw,
            "group_id": f"g{group}",
            "group_name": name,
            "lat": round(lat + rng.uniform(-spread, spread), 6),
            "lon": round(lon + rng.uniform(-spread, spread), 6),
            "radius_m": 250.0,
            "sample_weight": 1.0,
            "shard": group,
        }
        for group, (name, lat, lon, spread, points) in enumerate(grounds)
        for point in range(points)
        for draw in range(2)
    ]
    return pd.DataFrame(rows)


def publish_towns(root: DataRoot, url: str) -> str:
    """Collect and publish the first version; return its name."""
    request = CollectRequest(NAME, settings_for(root, url), "uk", views=VIEWS, pace=Pace(per_second=2000))
    collect(root, request, plan_of_towns())
    return str(publish(root, FIRST))
