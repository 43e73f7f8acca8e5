"""How soon a collection goes on that has a ledger of many rows, and how long one takes that finds nothing to do.

    python benchmarks/collect_resume.py ROWS

A data root is written as a run would have left it that was killed before its last shard: ledger, tables, and files of
the right sizes without content. Then the collection is run twice with the default verify="size", in this process:
"first request" is the time from the call to the first request for a picture. Shards have the usual 100 points.
"""

import os
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geolocate.collection import (
    CollectionSummary,
    CollectRequest,
    Pace,
    assign_panoramas,
    collect,
    start_collection,
)
from geolocate.collection.download import MANIFEST, OUTCOMES, Work, _work_of
from geolocate.collection.shards import FOUND, CollectionFiles, ShardState, hash_of, read_state, write_state
from geolocate.manifest.schema import image_id
from geolocate.providers.google import GoogleStreetView
from geolocate.records import Panorama, Picture, View, World
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot, read_json

sys.path.insert(0, str(Path(__file__).parent))
from collect import a_server, machine
from collect_contenders import HEADINGS, KEY, plan_of

POINTS = 100
SIDE = 64


def main() -> None:
    rows = int(sys.argv[1])
    plan = plan_of(rows // len(HEADINGS), POINTS)
    with (
        a_server("--latency-ms", "0", "--side", str(SIDE), "--bytes", "1000") as url,
        tempfile.TemporaryDirectory(prefix="geolocate-benchmark-") as folder,
    ):
        root, request = DataRoot(Path(folder)), request_to(url)
        written = left_behind(root, request, plan)
        print(f"{written} rows, {plan['shard'].nunique()} shards; {machine()}", flush=True)
        for name in ("resumed", "run again"):
            first, seconds, summary = timed(root, request, plan)
            told = "no request" if first is None else f"first request after {first:.1f} s"
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name}: {told}, {seconds:.1f} s in all, {summary.run_image_requests} images asked for, "
                  f"{summary.images} there, peak {peak:.0f} MB", flush=True)  # fmt: skip


def request_to(url: str) -> CollectRequest:
    settings = settings_from_environment(street_view_url=url, world=World.EMULATED, google_key=KEY)
    views = tuple(View(heading, width=SIDE, height=SIDE) for heading in HEADINGS)
    return CollectRequest("benchmark", settings, "uk", views, pace=Pace(per_second=100_000.0))


def timed(root: DataRoot, request: CollectRequest, plan: pd.DataFrame) -> tuple[float | None, float, CollectionSummary]:
    """Return seconds to the first request for a picture, seconds in all, and what came of it."""
    asked: list[float] = []
    fetch = GoogleStreetView.fetch

    async def noted(self: GoogleStreetView, panorama: Panorama, view: View) -> Picture:
        asked.append(time.perf_counter())
        return await fetch(self, panorama, view)

    GoogleStreetView.fetch = noted  # type: ignore[method-assign]
    started = time.perf_counter()
    summary = collect(root, request, plan)
    seconds = time.perf_counter() - started
    GoogleStreetView.fetch = fetch  # type: ignore[method-assign]
    return (asked[0] - started if asked else None), seconds, summary


def left_behind(root: DataRoot, request: CollectRequest, plan: pd.DataFrame) -> int:
    """Collect the first shard, and write all but the last one after its likeness; return the rows of the ledger."""
    first = plan[plan["shard"] == 0]
    collect(root, request, first)
    template = CollectionFiles(root.collection(request.name))
    tables = {phase: pq.read_table(template.table(phase, 0)) for phase in (FOUND, OUTCOMES, MANIFEST)}
    states = {phase: read_state(template.statistics(phase, 0)) for phase in (FOUND, OUTCOMES)}
    template.folder.rename(template.folder.with_name("template"))
    start_collection(root, request.name, plan, request)
    shards = int(plan["shard"].max()) + 1
    names = pa.array(plan["point_id"])
    for shard in range(shards):
        ids = names[shard * POINTS : (shard + 1) * POINTS]
        for phase in (FOUND, OUTCOMES, MANIFEST):
            if phase == FOUND or shard < shards - 1:
                path = template.table(phase, shard)
                path.parent.mkdir(exist_ok=True)
                pq.write_table(likeness(tables[phase], ids, shard), path)
        searched = found_hash(template, request)
        write_state(template.statistics(FOUND, shard), ShardState(states[FOUND].report, searched, 0))
    assign_panoramas(root, request)
    for shard in range(shards - 1):
        work = _work_of(root, request, template, shard)
        assert isinstance(work, Work)
        write_state(template.statistics(OUTCOMES, shard), ShardState(states[OUTCOMES].report, work.input_hash, 0))
    return fill(root, request, template, shards - 1)


def found_hash(files: CollectionFiles, request: CollectRequest) -> str:
    return hash_of(read_json(files.request)["plan_hash"], request.region)


def likeness(table: pa.Table, ids: pa.Array, shard: int) -> pa.Table:
    """Give a shard's table other points, and panoramas and pictures that are named after them."""
    places = [int(point[1:]) for point in table["point_id"].to_pylist()]
    table = table.filter(pa.array([place < len(ids) for place in places]))
    rows = len(table)
    points = pa.array([ids[place].as_py() for place in places if place < len(ids)])
    changed = {"point_id": points, "source_id": points, "panorama_id": points}
    if "panorama" in table.column_names:
        before = table["source_id"].to_pylist()
        changed["panorama"] = pa.array(
            [
                text.replace(old, new)
                for text, old, new in zip(table["panorama"].to_pylist(), before, points.to_pylist(), strict=True)
            ]
        )
    if "sha256" in table.column_names:
        numbers = range(shard * POINTS * len(HEADINGS), shard * POINTS * len(HEADINGS) + rows)
        changed["sha256"] = pa.array([f"{number % 256:02x}{number:062x}" for number in numbers])
        views = zip(points.to_pylist(), table["heading"].to_pylist(), strict=True)
        changed["image_id"] = pa.array(
            [image_id("google", point, View(heading, width=SIDE, height=SIDE)) for point, heading in views]
        )
    if "shard" in table.column_names:
        changed["shard"] = pa.array([shard] * rows, pa.int32())
    for name, column in changed.items():
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), table.schema.field(name), column)
    return table


def fill(root: DataRoot, request: CollectRequest, files: CollectionFiles, shards: int) -> int:
    """Write the pictures of the finished shards into the ledger, and files of their sizes into the store."""
    with sqlite3.connect(root.ledger) as ledger:
        realm, rights = ledger.execute("SELECT world, rights FROM images LIMIT 1").fetchone()
        ledger.execute("DELETE FROM images")
        ledger.execute("DELETE FROM charges")
        for byte in range(256):
            root.image(f"{byte:02x}" + "0" * 62).parent.mkdir(parents=True, exist_ok=True)
        for shard in range(shards):
            table = pq.read_table(
                files.table(MANIFEST, shard), columns=["image_id", "source_id", "heading", "sha256", "bytes"]
            )
            kept = [tuple(row.values()) for row in table.to_pylist()]
            ledger.executemany(
                "INSERT INTO images (world, image_id, provider, source_id, heading, pitch, fov, width, height, state, "
                f"sha256, bytes, rights, answered_at) VALUES ('{realm}', ?, 'google', ?, ?, 0, 90, {SIDE}, {SIDE}, "
                f"'kept', ?, ?, '{rights}', '2026-01-01T00:00:00Z')",
                kept,
            )
            ledger.executemany(
                "INSERT INTO charges (collection, world, image_id, micro_usd, state, intended_at) "
                f"VALUES ('{request.name}', '{realm}', ?, 7000, 'billed', '2026-01-01T00:00:00Z')",
                [row[:1] for row in kept],
            )
            for *_, sha256, size in kept:
                handle = os.open(root.image(sha256), os.O_CREAT | os.O_WRONLY, 0o644)
                os.ftruncate(handle, size)
                os.close(handle)
        return int(ledger.execute("SELECT COUNT(*) FROM images").fetchone()[0])


if __name__ == "__main__":
    main()
