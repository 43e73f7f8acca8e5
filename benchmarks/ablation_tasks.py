"""The four tasks of the ablation: collected from an emulator of its own, published, and encoded once.

In: a data root. Out: four dataset versions in it, with the features of all their pictures cached. What is there already
is not asked for again, so that a killed run goes on where it was.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geolocate.collection import CollectRequest, collect
from geolocate.collection.plan import PlanRequest, make_plan
from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.dataset.versions import DatasetVersion
from geolocate.models.encoders import image_encoder
from geolocate.models.features import image_features
from geolocate.settings import Settings
from geolocate.storage import DataRoot

ROOT = Path(__file__).resolve().parents[1]

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """A question of the study, asked of the emulated world."""

    name: str
    region: str
    kind: str
    per_place: int
    top: int | None = None
    cell_km: float | None = None

    @property
    def plan(self) -> PlanRequest:
        """Its points."""
        return PlanRequest.model_validate(
            {
                "region": self.region,
                "kind": self.kind,
                "top": self.top,
                "cell_km": self.cell_km,
                "per_place": self.per_place,
            }
        )

    @property
    def publication(self) -> PublishRequest:
        """Its dataset."""
        level = {"grid": "cell", "cities": "city"}[self.kind]
        sizes = {"top": self.top, "cell_km": self.cell_km}
        chosen = {name: value for name, value in sizes.items() if value is not None}
        return PublishRequest.model_validate(
            {"name": self.name, "collections": (self.name,), "region": self.region, "level": level, **chosen}
        )


#: The study's tables: UK grid, the 150 largest places with suburbs merged, the 50 largest, US grid.
TASKS = (
    Task("uk-grid", "uk", "grid", per_place=16, cell_km=50.0),
    Task("uk-cities-150", "uk", "cities", per_place=30, top=150),
    Task("uk-cities-50", "uk", "cities", per_place=60, top=50),
    Task("us-grid", "us", "grid", per_place=14, cell_km=200.0),
)


def prepare(root: DataRoot, task: Task, tell: Tell) -> DatasetVersion:
    """Collect and publish a task's dataset and encode its pictures, as far as that was not done before."""
    if not (root.collection(task.name) / "summary.json").exists():
        tell(f"{task.name}: collecting")
        with emulator() as url:
            collect(root, CollectRequest(task.name, _settings(root, url), task.region), make_plan(task.plan))
    version = open_dataset(root, str(publish(root, task.publication)))
    tell(f"{version.ref}: {len(version.frame)} pictures, {len(version.classes)} classes; encoding")
    image_features(root, image_encoder("efficientnet-lite0-stages"), list(version.frame["sha256"]))
    return version


@contextmanager
def emulator() -> Iterator[str]:
    """Run the emulated world on a free port; yields its address."""
    command = [sys.executable, "-m", "geolocate.cli", "emulator", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(word for word in process.stdout.readline().split() if word.startswith("http"))
        finally:
            process.terminate()
            process.wait(60)


def _settings(root: DataRoot, url: str) -> Settings:
    return Settings.model_validate(
        {"data": root.path, "street_view_url": url, "world": "emulated", "provider": "google", "google_key": "emulator"}
    )
