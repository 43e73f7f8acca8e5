"""Nothing but the picture tells the place, and the picture not at a glance."""

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks import world_probe
from geolocate.emulator import panoramas
from geolocate.emulator.panoramas import nearest_panorama
from geolocate.emulator.pictures import scene_bytes
from geolocate.emulator.scenes import draw_scene

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "build_emulator_world.py"
VIEWS = (90.0,)


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_emulator_world", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cities() -> world_probe.Sample:
    return world_probe.city_sample("uk", 50, 8)


@pytest.fixture(scope="module")
def bodies(cities: world_probe.Sample) -> list[bytes]:
    return world_probe.pictures(cities, side=96, headings=VIEWS, workers=0)


def records(rng: np.random.Generator, names: list[str]) -> list[dict[str, object]]:
    return [
        {
            "geonameid": int(rng.integers(1, 1_000_000)),
            "name": name,
            "alternatenames": [name.upper()],
            "latitude": 50.0 + index * 0.07,
            "longitude": -3.0 + index % 13 * 0.3,
            "population": 500 + 9000 * index,
            "countrycode": ("GB", "IE", "FR")[index % 3],
        }
        for index, name in enumerate(names)
    ]


def test_renaming_every_place_changes_no_byte_of_the_ground(builder: ModuleType) -> None:
    names = [f"Town {index}" for index in range(60)]
    box = builder.Box("test", 50.0, 54.0, -4.0, 1.0, 0.1)
    first = records(np.random.default_rng(0), names)
    renamed = records(np.random.default_rng(1), names[::-1])
    nameless = [{key: r[key] for key in ("latitude", "longitude", "population", "countrycode")} for r in first[::-1]]
    moved = [r | {"latitude": float(str(r["latitude"])) + 0.5} for r in first]

    def ground(towns: list[dict[str, object]]) -> dict[str, bytes]:
        return {band: raster.tobytes() for band, raster in builder.town_bands(builder.gazetteer(towns), box).items()}

    assert ground(first) == ground(renamed) == ground(nameless)
    assert ground(first) != ground(moved)


def test_other_ids_change_no_byte_of_a_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    first = nearest_panorama(0, 53.8, -1.55, 250.0)
    monkeypatch.setattr(panoramas, "encode_id", lambda *_: "another id")
    second = nearest_panorama(0, 53.8, -1.55, 250.0)
    assert first is not None
    assert second is not None
    assert first.pano_id != second.pano_id == "another id"
    assert world_probe.draw((first, 90.0, 96)) == world_probe.draw((second, 90.0, 96))
    assert list(inspect.signature(draw_scene).parameters) == ["surroundings", "camera", "nuisance"]


def test_the_files_of_all_scenes_are_alike(bodies: list[bytes]) -> None:
    assert len(bodies) > 300
    assert len({world_probe.file_facts(body) for body in bodies}) == 1


def test_a_scene_that_needs_more_room_takes_it_in_whole_steps() -> None:
    from PIL import Image

    rough = np.random.default_rng(0).integers(0, 256, (320, 320, 3)).astype(np.uint8)
    plain, full = scene_bytes(Image.new("RGB", (320, 320))), scene_bytes(Image.fromarray(rough))
    assert len(full) % len(plain) == 0
    assert len(full) > len(plain)
    assert world_probe.thumbnails([full], 1).shape == (1, 48)


def test_month_year_and_copyright_tell_no_city(cities: world_probe.Sample) -> None:
    right = world_probe.probe_accuracy(cities, world_probe.dates(cities))
    chance = world_probe.prior_accuracy(cities)
    spread = np.sqrt(chance * (1 - chance) / len(right))
    assert len(right) > 50
    assert right.mean() < chance + 2.6 * spread


def test_thumbnails_of_4_by_4_hardly_beat_a_guess(cities: world_probe.Sample, bodies: list[bytes]) -> None:
    constant = world_probe.constant_km(cities).mean()
    thumbs = world_probe.thumbnails(bodies, len(VIEWS))
    assert world_probe.neighbour_km(cities, thumbs).mean() >= 0.85 * constant
    # The measure is one: what tells the place beats the guess by far.
    told = np.column_stack([cities.lat, cities.lon])
    assert world_probe.neighbour_km(cities, told).mean() < 0.1 * constant


def test_training_and_test_panoramas_share_no_ground_and_no_drive(cities: world_probe.Sample) -> None:
    drives = np.array([p.nuisance >> 32 for p in cities.panoramas])
    assert not set(drives[cities.train]) & set(drives[cities.test])
    assert not (cities.train & cities.test).any()
