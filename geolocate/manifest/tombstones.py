"""What was forgotten: images, panoramas, ground and creators that no reader may show any more.

In: ids, and rules about ground and creators that hold for whatever is collected later, too. Out:
``store/tombstones.parquet`` (ids), ``store/forgotten.json`` (one entry each time, with its rules), and tables without
the forgotten rows.
"""

import fcntl
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from geolocate.storage import DataRoot, atomic_write, read_json, write_json

Frame = TypeVar("Frame", bound=pd.DataFrame)
Flags = npt.NDArray[np.bool_]

_EARTH_RADIUS_KM = 6371.0088


@dataclass(frozen=True, slots=True)
class Circle:
    """The ground within ``radius_km`` of a position."""

    lat: float
    lon: float
    radius_km: float

    def holds(self, lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> Flags:
        """Say for each position whether it lies within, by the angle between them."""
        here, there = np.radians(self.lat), np.radians(lat)
        turn = np.radians(lon - self.lon)
        cosine = np.sin(here) * np.sin(there) + np.cos(here) * np.cos(there) * np.cos(turn)
        return np.asarray(cosine >= np.cos(self.radius_km / _EARTH_RADIUS_KM))


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays forgotten, whoever finds it: ground as (lon, lat) polygons or circles, and creators."""

    areas: tuple[BaseGeometry, ...] = ()
    circles: tuple[Circle, ...] = ()
    creators: tuple[str, ...] = ()

    def cover(self, rows: pd.DataFrame) -> Flags:
        """Say of each row whether a rule is about it, as far as its ``lat, lon, creator`` tell."""
        covered = np.zeros(len(rows), dtype=bool)
        if "creator" in rows:
            covered |= rows["creator"].isin(self.creators).to_numpy(bool)
        if (self.areas or self.circles) and {"lat", "lon"} <= set(rows.columns):
            lat, lon = rows["lat"].to_numpy(float), rows["lon"].to_numpy(float)
            for area in self.areas:
                shapely.prepare(area)
                covered |= shapely.contains_xy(area, lon, lat)
            for circle in self.circles:
                covered |= circle.holds(lat, lon)
        return covered

    def to_json(self) -> dict[str, Any]:
        """Return the rules as JSON values; areas as GeoJSON."""
        return {
            "areas": [mapping(area) for area in self.areas],
            "circles": [[circle.lat, circle.lon, circle.radius_km] for circle in self.circles],
            "creators": list(self.creators),
        }


def read_tombstones(root: DataRoot) -> frozenset[str]:
    """Return the forgotten image ids, and the source ids of panoramas that were forgotten as a whole."""
    if not root.tombstones.exists():
        return frozenset()
    rows = pd.read_parquet(root.tombstones)
    return frozenset(rows["image_id"].dropna()) | frozenset(rows["source_id"].dropna())


def read_rules(root: DataRoot) -> Rules:
    """Return the rules of everything that was ever forgotten, as one."""
    entries = forgettings(root)
    return Rules(
        tuple(shape(area) for entry in entries for area in entry["rules"]["areas"]),
        tuple(Circle(*circle) for entry in entries for circle in entry["rules"]["circles"]),
        tuple(creator for entry in entries for creator in entry["rules"]["creators"]),
    )


def forgettings(root: DataRoot) -> list[dict[str, Any]]:
    """List what was forgotten, the earliest first: ``since, reason, asked, rules`` and, once it is done, ``found``."""
    entries: list[dict[str, Any]] = read_json(root.forgotten) if root.forgotten.exists() else []
    return entries


def remember_forgetting(root: DataRoot, entry: dict[str, Any]) -> None:
    """Write down what is forgotten, before it is done and again with what was ``found``; its rules hold from then.

    An entry that asked for the same is replaced: forgetting again goes on where it was.
    """
    fresh = json.loads(json.dumps(entry))
    with _alone(root):
        earlier = [one for one in forgettings(root) if any(one[key] != fresh[key] for key in ("asked", "rules"))]
        write_json(root.forgotten, [*earlier, fresh])


def add_tombstones(root: DataRoot, image_ids: Iterable[str], source_ids: Iterable[str] = ()) -> None:
    """Remember images as forgotten, for ever, and panoramas as a whole by their source ids.

    Adding one twice changes nothing.
    """
    images, panoramas = sorted(set(image_ids)), sorted(set(source_ids))
    columns = {
        "image_id": images + [None] * len(panoramas),
        "source_id": [None] * len(images) + panoramas,
        "since": now(),
    }
    fresh = pd.DataFrame(columns, dtype=pd.StringDtype())
    with _alone(root):
        rows = pd.concat([pd.read_parquet(root.tombstones), fresh]) if root.tombstones.exists() else fresh
        with atomic_write(root.tombstones) as file:
            rows.drop_duplicates(["image_id", "source_id"]).to_parquet(file, index=False)


def now() -> str:
    """Return the present moment, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _alone(root: DataRoot) -> Iterator[None]:
    """Let one process at a time read and write what is forgotten: none of it may be lost."""
    root.tombstones.parent.mkdir(parents=True, exist_ok=True)
    with root.tombstones.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_forgotten(root: DataRoot, rows: pd.DataFrame) -> Flags:
    """Say of each row whether it was forgotten, by those of ``image_id, source_id, lat, lon, creator`` that it has."""
    names = read_tombstones(root)
    gone = read_rules(root).cover(rows)
    for column in ("image_id", "source_id"):
        if column in rows and names:
            gone |= rows[column].isin(names).to_numpy(bool)
    return gone


def without_forgotten(root: DataRoot, rows: Frame) -> Frame:
    """Return the rows of which nothing was forgotten."""
    gone = is_forgotten(root, rows)
    return rows[~gone] if gone.any() else rows
