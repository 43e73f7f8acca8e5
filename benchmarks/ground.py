"""What the ground costs: planning, merging, labelling, partitioning and validating, from 100,000 points to 1,000,000.

    python benchmarks/ground.py [POINTS] [REGION …]

Each stage runs in a process of its own, so that its peak memory (everything imported, and its input made, included) is
its own. POINTS is the larger size; the smaller one is a tenth of it, and linear is a ratio of 10. "first" is what a
process does once for a region (reading, cutting, projecting it) and 1,000 points. A plan has four draws a point.
Validation compares the tables with the ledger; hashing the pictures' files depends on the disk and is left out.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from geolocate.collection import validate_collection
from geolocate.collection.ledger import Ledger
from geolocate.collection.plan import OPTIONS, PlanRequest, make_plan
from geolocate.collection.shards import OUTCOME_SCHEMA, CollectionFiles, write_rows
from geolocate.dataset.labels import LabelSettings, label_panoramas
from geolocate.dataset.splits import prove_split, split_panoramas
from geolocate.geography.cities import cities_of
from geolocate.geography.partition import partition_version
from geolocate.geography.places import real_places
from geolocate.geography.regions import Region, load_region
from geolocate.geography.suburbs import merge_suburbs
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot

FEW = 1000  # enough to make every table and tree of a region
SETTINGS = LabelSettings(top=150, cell_km=50.0)
SHARDS = 50

Stage = Callable[[Region, int, Path], Callable[[], object]]


def plan_of(kind: str) -> Stage:
    """Plan so many points, four draws each, in as many cells or around as many cities as is usual."""

    def planning(region: Region, points: int, _: Path) -> Callable[[], object]:
        if kind in ("uniform", "population"):
            return lambda: make_plan(PlanRequest(region=region.name, kind=kind, total=points))
        top = {"top": SETTINGS.top} if kind == "cities" else {}
        groups = make_plan(PlanRequest(region=region.name, kind=kind, per_place=1, **top))["group_id"].nunique()
        return lambda: make_plan(PlanRequest(region=region.name, kind=kind, per_place=-(-points // groups), **top))

    return planning


def merging(region: Region, points: int, _: Path) -> Callable[[], object]:
    """Merge every place of the region, and give each point to its merged city."""
    rows = positions(region, points)

    def merge() -> object:
        merge_suburbs(region, real_places(region))
        return cities_of(region, SETTINGS.top, None).owners(rows["lat"].to_numpy(), rows["lon"].to_numpy())

    return merge


def labelling(region: Region, points: int, _: Path) -> Callable[[], object]:
    """Cell, city and town of each point."""
    rows = positions(region, points)
    return lambda: label_panoramas(region, rows, SETTINGS)


def partitioning(region: Region, points: int, _: Path) -> Callable[[], object]:
    """Blocks, buffer, drives and sample."""
    rows = positions(region, points)
    return lambda: split_panoramas(region, rows)


def proving(region: Region, points: int, _: Path) -> Callable[[], object]:
    """The proof of a split that a dataset gets whenever it is opened."""
    rows = positions(region, points)
    frame = pd.concat([rows, split_panoramas(region, rows)], axis=1)
    return lambda: prove_split(region, frame, partition_version(region))


def validating(_: Region, points: int, folder: Path) -> Callable[[], object]:
    """Plan = outcomes, manifest = ledger, one image a point; the pictures' own bytes are not read."""
    root = DataRoot(folder / f"root-{points}")
    if not root.path.exists():
        write_collection(root, points)

    def validate() -> object:
        report = validate_collection(root, "bench", "none")
        report.raise_if_broken()
        return report

    return validate


STAGES: dict[str, Stage] = {
    **{f"planning {kind}": plan_of(kind) for kind in OPTIONS},
    **{stage.__name__: stage for stage in (merging, labelling, partitioning, proving, validating)},
}


def positions(region: Region, points: int) -> pd.DataFrame:
    """Panoramas all over the region's land, taken in 16 years."""
    plan = make_plan(PlanRequest(region=region.name, kind="uniform", total=points, draws=1))
    month = np.random.default_rng(0).integers(0, 16 * 12, points)
    captured = [f"{2009 + number // 12}-{1 + number % 12:02d}" for number in range(16 * 12)]
    return plan[["lat", "lon"]].assign(
        source_id=plan["point_id"],
        panorama_id=plan["point_id"],
        town=plan["group_id"],
        class_id=plan["group_id"],
        captured=np.array(captured, dtype=object)[month],
        sequence_id=None,
    )


def write_collection(root: DataRoot, points: int) -> None:
    """A finished collection, as its phases would have left it, without the pictures."""
    files = CollectionFiles(root.collection("bench"))
    ids = np.array([f"p{number:08d}" for number in range(points)], dtype=object)
    sha256 = np.array([f"{number:064x}" for number in range(points)], dtype=object)
    shard = np.arange(points) * SHARDS // points
    files.folder.mkdir(parents=True)
    files.request.write_text("{}")
    pd.DataFrame({"point_id": ids, "shard": shard}).to_parquet(files.plan)
    outcomes = pd.DataFrame(
        {"point_id": ids, "group_id": "g", "shard": shard, "status": "complete", "images": 1, "reasons": "{}"}
    )
    outcomes.to_parquet(files.merged_outcomes)
    rows = manifest_columns(ids, sha256)
    for number in range(SHARDS):
        write_rows(files.table("outcomes", number), [], OUTCOME_SCHEMA)
        write_manifest(rows[shard == number], files.table("manifest", number))
    with Ledger(root.ledger) as ledger, ledger.transaction():
        ledger._db.executemany(
            "INSERT INTO images (world, image_id, provider, source_id, heading, pitch, fov, width, height, state, "
            "sha256) VALUES ('emulated', ?, 'google', 'x', 0, 0, 90, 320, 320, 'kept', ?)",
            zip(ids, sha256, strict=True),
        )


def manifest_columns(ids: np.ndarray, sha256: np.ndarray) -> pd.DataFrame:
    """One image a point."""
    numbers = {"heading": 0.0, "pitch": 0.0, "fov": 90.0, "width": 320, "height": 320, "snap_m": 0.0, "bytes": 1}
    places = {"lat": 51.5, "lon": -0.1, "requested_lat": 51.5, "requested_lon": -0.1, "sample_weight": 1.0}
    unknown = dict.fromkeys(["sequence_id", "creator", "camera", "captured", "admin1", "admin2", "retain_until"])
    texts = {"provider": "google", "country": "GB", "license": "CC0-1.0", "attribution": "made for a benchmark"}
    more = {"rights_basis": "own", "world": "emulated", "terms_version": "1", "fetched_at": "", "group_id": "g"}
    names = {"image_id": ids, "source_id": ids, "panorama_id": ids, "point_id": ids, "sha256": sha256}
    return pd.DataFrame({**names, **numbers, **places, **unknown, **texts, **more})


def measure(name: str, region: Region, points: int, folder: Path) -> dict[str, float]:
    """Seconds of the first small go and of the whole one, and the process's peak memory in GB."""
    started = time.perf_counter()
    STAGES[name](region, min(FEW, points), folder)()
    first = time.perf_counter() - started
    work = STAGES[name](region, points, folder)
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    return {"first": first, "seconds": seconds, "gb": peak_gb()}


def peak_gb() -> float:
    """The most memory that this process has held; getrusage would tell its parent's where that was more."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e9


def in_a_process(name: str, region: str, points: int) -> dict[str, float]:
    """Measure one stage in a process of its own."""
    command = [sys.executable, __file__, "--stage", name, region, str(points)]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def main(points: int, regions: list[str]) -> None:
    few = points // 10
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    title = f"{points:,} points; {machine}, Python {platform.python_version()}; one process a stage"
    table = Table("region", "stage", "first, s", f"{few:,}, s", f"{points:,}, s", "ratio", "peak, GB", title=title)
    for region in regions:
        for name in STAGES:
            small, large = (in_a_process(name, region, count) for count in (few, points))
            ratio = large["seconds"] / small["seconds"]
            numbers = (large["first"], small["seconds"], large["seconds"], ratio, large["gb"])
            table.add_row(region, name, *(f"{number:.2f}" for number in numbers))
    Console(width=110).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        stage, where, count = sys.argv[2:]
        with tempfile.TemporaryDirectory() as temporary:
            print(json.dumps(measure(stage, load_region(where), int(count), Path(temporary))))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000, sys.argv[2:] or ["uk", "us"])
