"""What of the emulated world can be told without looking, at a glance, and by looking.

    python benchmarks/world_probe.py [--sample uk-cities|uk-grid|us-cities|us-grid] [--per-place 18] [--no-features]

Draws panoramas with three views each, sets 2 km blocks of ground aside for testing (training panoramas within 0.5 km
of one, or of the same capture drive, are dropped), and prints a table beside chance: accuracy for samples of places,
mean distance for all. Everything is seeded; the result is the same on every run.
"""

import argparse
import io
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import NearestNeighbors

from geolocate.emulator.camera import Camera
from geolocate.emulator.panoramas import EmulatedPanorama, nearest_panorama
from geolocate.emulator.scenes import draw_scene
from geolocate.emulator.world import WORLD_VERSION, surroundings_at
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.distances import geometric_median, haversine_km, nearest_km
from geolocate.geography.hashing import mix
from geolocate.geography.places import top_places
from geolocate.geography.regions import load_region
from geolocate.geography.suburbs import merge_suburbs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HEADINGS = (0.0, 90.0, 180.0)
#: Degrees of latitude of a block of 2 km.
_BLOCK = 0.018
_BUFFER_KM = 0.5
_TEST_SHARE = 0.25
#: A class lies within about this many km of its place's middle.
_RADIUS_KM = 5.0
_BOXES = {"uk": (49.9, 60.8, -8.2, 1.8), "us": (24.5, 49.4, -124.8, -67.0)}


@dataclass(frozen=True)
class Sample:
    """Panoramas with their classes (-1 where there are none) and which of them train and which test."""

    panoramas: list[EmulatedPanorama]
    classes: Ints
    train: Flags
    test: Flags

    @property
    def lat(self) -> Floats:
        """Latitudes in degrees."""
        return np.array([p.lat for p in self.panoramas])

    @property
    def lon(self) -> Floats:
        """Longitudes in degrees."""
        return np.array([p.lon for p in self.panoramas])


def city_sample(region_name: str, top: int, per_place: int, seed: int = 0) -> Sample:
    """Panoramas around the largest places, suburbs merged: ``per_place`` a class, within 5 km of its middle."""
    region = load_region(region_name)
    places = top_places(region, top)
    merged = merge_suburbs(region, places)
    own = places[places["place_id"].isin(set(merged["parent_id"]))]
    rng = np.random.default_rng(seed)
    found, classes = [], []
    for index, (lat, lon) in enumerate(zip(own["lat"], own["lon"], strict=True)):
        near: dict[str, EmulatedPanorama] = {}
        for _ in range(per_place * 6):
            if len(near) == per_place:
                break
            away, turn = _RADIUS_KM * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            east = away * np.sin(turn) / np.cos(np.radians(lat))
            panorama = nearest_panorama(0, lat + away * np.cos(turn) / 111.2, lon + east / 111.2, 250.0)
            if panorama is not None:
                near[panorama.pano_id] = panorama
        found += near.values()
        classes += [index] * len(near)
    return _blocked(found, np.array(classes), seed)


def grid_sample(region_name: str, count: int, seed: int = 0) -> Sample:
    """Panoramas spread evenly over a region."""
    region, (south, north, west, east) = load_region(region_name), _BOXES[region_name]
    rng = np.random.default_rng(seed)
    lat = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(south)), np.sin(np.radians(north)), count * 20)))
    lon = rng.uniform(west, east, count * 20)
    inside = boundary_of(region).contains(lat, lon)
    found: dict[str, EmulatedPanorama] = {}
    for at in zip(lat[inside].tolist(), lon[inside].tolist(), strict=True):
        if len(found) < count and (panorama := nearest_panorama(0, *at, 2000.0)) is not None:
            found[panorama.pano_id] = panorama
    return _blocked(list(found.values()), np.full(len(found), -1), seed)


def _blocked(panoramas: list[EmulatedPanorama], classes: Ints, seed: int) -> Sample:
    """Split by blocks of ground; no training panorama is near a test one or of its capture drive."""
    rows = np.array([int(p.lat // _BLOCK) for p in panoramas])
    columns = [int(p.lon * np.cos(np.radians(r * _BLOCK)) // _BLOCK) for p, r in zip(panoramas, rows, strict=True)]
    draws = [mix(seed, 77, row, column) for row, column in zip(rows.tolist(), columns, strict=True)]
    test = np.array([draw / 2**64 < _TEST_SHARE for draw in draws])
    lat, lon = np.array([p.lat for p in panoramas]), np.array([p.lon for p in panoramas])
    apart = nearest_km(lat, lon, lat[test], lon[test]) > _BUFFER_KM
    drives = np.array([p.nuisance >> 32 for p in panoramas])
    return Sample(panoramas, classes, apart & ~np.isin(drives, drives[test]), test)


def draw(job: tuple[EmulatedPanorama, float, int]) -> bytes:
    """Draw one view of a panorama, ``side`` pixels square."""
    panorama, heading, side = job
    place = surroundings_at(0, panorama.lat, panorama.lon, panorama.road_bearing, panorama.road_rank)
    assert place is not None
    return draw_scene(place, Camera(heading, 0.0, 90.0, side, side), panorama.nuisance)


def pictures(sample: Sample, side: int = 320, headings: tuple[float, ...] = HEADINGS, workers: int = 2) -> list[bytes]:
    """All views of all panoramas, a panorama's one after another; with 0 workers drawn in this process."""
    jobs = [(panorama, heading, side) for panorama in sample.panoramas for heading in headings]
    if not workers:
        return [draw(job) for job in jobs]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(draw, jobs, chunksize=32))


def thumbnails(bodies: list[bytes], views: int, cells: int = 4) -> Floats:
    """Thumbnails of cells × cells, all views of a panorama side by side: (panoramas, views · cells² · 3)."""
    size = (cells, cells)
    small = [np.asarray(Image.open(io.BytesIO(body)).resize(size, Image.Resampling.BOX)) for body in bodies]
    return np.array(small, dtype=float).reshape(len(bodies) // views, -1)


def neighbour_km(sample: Sample, features: Floats) -> Floats:
    """How far the place of the nearest neighbour among the training panoramas is, for each test panorama."""
    train, test = np.flatnonzero(sample.train), np.flatnonzero(sample.test)
    scale = features[train].std(axis=0) + 1e-9
    found = NearestNeighbors(n_neighbors=1).fit(features[train] / scale)
    guess = train[found.kneighbors(features[test] / scale, return_distance=False)[:, 0]]
    return haversine_km(sample.lat[test], sample.lon[test], sample.lat[guess], sample.lon[guess])


def constant_km(sample: Sample) -> Floats:
    """How far the best constant is from each test panorama."""
    lat, lon = geometric_median(sample.lat[sample.train], sample.lon[sample.train])
    return haversine_km(sample.lat[sample.test], sample.lon[sample.test], lat, lon)


def probe_accuracy(sample: Sample, features: Floats) -> Flags:
    """Which test panoramas a forest on the features puts into their class."""
    forest = ExtraTreesClassifier(100, min_samples_leaf=2, random_state=0).fit(
        features[sample.train], sample.classes[sample.train]
    )
    return np.asarray(forest.predict(features[sample.test]) == sample.classes[sample.test])


def prior_accuracy(sample: Sample) -> float:
    """How often a guess of the most frequent class, or of any if all are alike, is right: one in so many classes."""
    return 1 / len(np.unique(sample.classes[sample.train]))


def dates(sample: Sample) -> Floats:
    """Year, month and whether the picture is a user's: what metadata tell beside the position."""
    rows = [(int(p.date[:4]), int(p.date[5:]), hash_of(p.copyright)) for p in sample.panoramas]
    return np.array(rows, dtype=float)


def hash_of(text: str) -> int:
    """A small number for a text."""
    return sum(text.encode())


def file_facts(body: bytes) -> str:
    """All that a JPEG's file tells beside its pixels: its size, tables, header and sampling."""
    with Image.open(io.BytesIO(body)) as image:
        header = {key: value for key, value in image.info.items() if key != "comment"}
        return repr((len(body), image.quantization, header, dict(image.getexif()), image.layer))  # type: ignore[attr-defined]


def _features(bodies: list[bytes], views: int) -> Floats:
    from geolocate.models.image_encoders import image_encoder

    encoded = image_encoder("efficientnet-lite0").encode_bodies(bodies).numpy().astype(float)
    return np.asarray(encoded.reshape(len(bodies) // views, views, -1).mean(axis=1))


def _interval(values: NDArray[np.generic], sample: Sample) -> str:
    """The mean and its 95 % interval from resampled 2 km blocks."""
    blocks = np.array([f"{p.lat // _BLOCK}/{p.lon // _BLOCK}" for p in sample.panoramas])[sample.test]
    _, block = np.unique(blocks, return_inverse=True)
    rng = np.random.default_rng(0)
    sums, counts = np.bincount(block, values.astype(float)), np.bincount(block)
    draws = rng.integers(0, len(counts), (1000, len(counts)))
    low, high = np.percentile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [2.5, 97.5])
    return f"{_short(values.astype(float).mean())} [{_short(low)}, {_short(high)}]"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


_SAMPLES: dict[str, Callable[[int], Sample]] = {
    "uk-cities": lambda n: city_sample("uk", 50, n),
    "us-cities": lambda n: city_sample("us", 50, n),
    "uk-grid": lambda n: grid_sample("uk", 30 * n),
    "us-grid": lambda n: grid_sample("us", 30 * n),
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", choices=sorted(_SAMPLES), action="append")
    parser.add_argument("--per-place", type=int, default=18)
    parser.add_argument("--no-features", action="store_true")
    options = parser.parse_args()
    for name in options.sample or list(_SAMPLES):
        _report(name, _SAMPLES[name](options.per_place), with_features=not options.no_features)


def _report(name: str, sample: Sample, *, with_features: bool) -> None:
    started = time.perf_counter()
    bodies = pictures(sample)
    print(f"  drawn {time.perf_counter() - started:.1f} s", file=sys.stderr)
    views = len(HEADINGS)
    constant = constant_km(sample)
    title = f"{name}, world {WORLD_VERSION}: {sample.train.sum()} train, {sample.test.sum()} test panoramas"
    table = Table("what is looked at", "accuracy, %", "1-NN (linear: its class), km", "× best constant", title=title)
    known = sample.classes.max() >= 0
    chance = _short(100 * prior_accuracy(sample)) if known else "–"
    table.add_row("prior; best constant", chance, _interval(constant, sample), "1")
    sums = np.array([np.asarray(Image.open(io.BytesIO(body))).mean(axis=(0, 1)) for body in bodies])
    stripped = np.array([len(body) - body.count(b"emulated world") * 30 for body in bodies], dtype=float)
    probes: dict[str, Floats] = {
        "file size": np.array([len(body) for body in bodies], dtype=float).reshape(-1, views),
        "month, year, copyright": dates(sample),
        "size without its filling": stripped.reshape(-1, views),
        "mean colour": sums.reshape(len(sample.panoramas), -1),
        "thumbnails 4×4, one view": thumbnails(bodies[::views], 1),
        "thumbnails 4×4, three views": thumbnails(bodies, views),
    }
    if with_features:
        probes["EfficientNet-lite0 features, linear"] = _features(bodies, views)
    for label, features in probes.items():
        started = time.perf_counter()
        right, km = "", neighbour_km(sample, features)
        if known and "linear" in label:
            guess = _linear_guess(sample, features)
            right = _interval(100.0 * (sample.classes[guess] == sample.classes[sample.test]), sample)
            km = haversine_km(sample.lat[sample.test], sample.lon[sample.test], sample.lat[guess], sample.lon[guess])
        elif known:
            right = _interval(100 * probe_accuracy(sample, features), sample)
        print(f"  {label}: {time.perf_counter() - started:.1f} s", file=sys.stderr)
        table.add_row(label, right or "–", _interval(km, sample), f"{km.mean() / constant.mean():.2f}")
    facts = {file_facts(body) for body in bodies}
    Console(width=120).print(table)
    print(f"{len(facts)} kinds of files among {len(bodies)} pictures (size, quantisation, header, EXIF, sampling)")


def _linear_guess(sample: Sample, features: Floats) -> Ints:
    """For each test panorama a training panorama of the class that a linear classifier names."""
    train = features[sample.train]
    scale = train.std(axis=0) + 1e-6
    model = RidgeClassifier(alpha=1000.0).fit((train - train.mean(axis=0)) / scale, sample.classes[sample.train])
    guess = model.predict((features[sample.test] - train.mean(axis=0)) / scale)
    rows = np.flatnonzero(sample.train)
    first = {int(sample.classes[row]): int(row) for row in rows[::-1]}
    return np.array([first[int(each)] for each in guess])


if __name__ == "__main__":
    main()
