"""Judge what a soak left behind, against an emulator of the same world that never fails.

In: the data root, the faults that struck, a faultless emulator. Out: every image and every point that is wrong or lost
without a reason, in one line each.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.soak_faults import FINAL
from geolocate.collection import STANDARD_VIEWS
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.distances import haversine_km
from geolocate.geography.regions import load_region

T = TypeVar("T")
_AT_ONCE = 16


@dataclass
class Strikes:
    """The faults that struck, by what was asked for."""

    images: dict[tuple[str, float], set[str]] = field(default_factory=lambda: defaultdict(set))
    searches: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, fault: str, request: str) -> None:
        """Note one fault and its request."""
        parts = urlsplit(request)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/metadata"):
            self.searches[query["location"]].add(fault)
        else:
            self.images[query["pano"], float(query["heading"])].add(fault)


@dataclass(frozen=True)
class Verdict:
    """What was looked at, and what is not as it should be."""

    images: int
    fetchable: int
    wrong: tuple[str, ...]
    lost: tuple[str, ...]
    statuses: dict[str, int]


def judge(data: Path, name: str, strikes: Iterable[tuple[str, str]], faultless: str) -> Verdict:
    """Compare each picture's bytes with the faultless answer, and explain each that is missing."""
    struck = Strikes()
    for fault, request in strikes:
        struck.add(fault, request)
    folder = data / "collections" / name
    manifest = pd.concat([pq.read_table(path).to_pandas() for path in sorted((folder / "manifest").glob("*.parquet"))])
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    plan = pd.read_parquet(folder / "plan.parquet")
    wrong = asyncio.run(_wrong(data, manifest, faultless))
    lost = [*lost_images(outcomes, manifest, struck), *asyncio.run(_lost_points(outcomes, plan, struck, faultless))]
    statuses = outcomes["status"].value_counts().to_dict()
    return Verdict(len(manifest), len(manifest) + len(lost), tuple(wrong), tuple(lost), statuses)


async def _wrong(data: Path, manifest: pd.DataFrame, url: str) -> list[str]:
    """Fetch every picture again; the file, not only the manifest, must be what is answered."""
    rows = manifest[["source_id", "heading", "pitch", "fov", "width", "height", "sha256"]].to_dict("records")

    async def check(session: aiohttp.ClientSession, row: dict[str, Any]) -> str | None:
        query = {
            "pano": row["source_id"], "size": f"{row['width']}x{row['height']}", "heading": f"{row['heading']:g}",
            "pitch": f"{row['pitch']:g}", "fov": f"{row['fov']:g}", "key": "judge",
        }  # fmt: skip
        async with session.get("/maps/api/streetview", params=query) as answer:
            right = sha256(await answer.read()).hexdigest()
        path = data / "store" / "images" / row["sha256"][:2] / f"{row['sha256']}.jpg"
        stored = sha256(path.read_bytes()).hexdigest() if path.exists() else "no file"
        return None if right == row["sha256"] == stored else f"{row['source_id']} at {row['heading']:g}°: {stored[:12]}"

    return [line for line in await _all(url, rows, check) if line]


def lost_images(outcomes: pd.DataFrame, manifest: pd.DataFrame, struck: Strikes) -> Iterator[str]:
    """Name each picture of a found panorama that is missing though no final answer said so."""
    there = set(zip(manifest["source_id"], manifest["heading"], strict=True))
    found = outcomes[outcomes["status"].isin(["complete", "partial", "no_imagery", "failed", "refused"])]
    for row in found[found["source_id"].notna()].to_dict("records"):
        reasons = json.loads(row["reasons"])
        for view in STANDARD_VIEWS:
            shot = (row["source_id"], view.heading)
            reason = reasons.get(f"{view.heading:g}")
            if (shot in there) is not (reason is None):
                yield f"{shot}: in the manifest: {shot in there}, reason: {reason}"
            elif reason and not struck.images[shot] & FINAL["image"]:
                yield f"{shot}: missing for {reason}, which no answer had said"


async def _lost_points(outcomes: pd.DataFrame, plan: pd.DataFrame, struck: Strikes, url: str) -> list[str]:
    """Ask again for each position that had no panorama; name those that have one, unless a final answer denied it."""
    draws = {(row["point_id"], row["draw"]): row for row in plan.to_dict("records")}
    taken = set(outcomes["source_id"].dropna())
    boundary = boundary_of(load_region("uk"))
    misses = [
        (draws[row["point_id"], draw], miss)
        for row in outcomes[["point_id", "misses"]].to_dict("records")
        for draw, miss in enumerate(json.loads(row["misses"]))
    ]

    async def check(session: aiohttp.ClientSession, missed: tuple[dict[str, Any], str]) -> str | None:
        point, miss = missed
        place = f"{point['lat']:.7f},{point['lon']:.7f}"
        if struck.searches[place] & FINAL["metadata"]:
            return None
        query = {"location": place, "radius": f"{point['radius_m']:.0f}", "source": "outdoor", "key": "judge"}
        async with session.get("/maps/api/streetview/metadata", params=query) as answer:
            truth = _truth(point, await answer.json(), taken, lambda lat, lon: bool(boundary.contains([lat], [lon])[0]))
        return None if truth == miss else f"point {point['point_id']}, draw {point['draw']}: {miss}, but it is {truth}"

    lines = [line for line in await _all(url, misses, check) if line]
    unsearched = outcomes[outcomes["source_id"].isna() & outcomes["status"].isin(["failed", "refused", "over_budget"])]
    return lines + [f"point {point}: never searched to the end" for point in unsearched["point_id"]]


def _truth(
    point: dict[str, Any], answer: dict[str, Any], taken: set[str], inside: Callable[[float, float], bool]
) -> str:
    """Return what a search must end with, from an answer without faults."""
    if answer["status"] != "OK":
        return "no_imagery"
    lat, lon = answer["location"]["lat"], answer["location"]["lng"]
    if 1000 * float(haversine_km(point["lat"], point["lon"], lat, lon)) > point["radius_m"]:
        return "too_far"
    if answer["copyright"] != "© Google" or len(answer["pano_id"]) != 22:
        return "wrong_provider"
    if not inside(lat, lon):
        return "outside"
    return "duplicate" if answer["pano_id"] in taken else "a panorama"


async def _all(
    url: str, items: Iterable[T], check: Callable[[aiohttp.ClientSession, T], Awaitable[str | None]]
) -> list[str | None]:
    gate = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(url) as session:

        async def one(item: T) -> str | None:
            async with gate:
                return await check(session, item)

        return list(await asyncio.gather(*(one(item) for item in items)))
