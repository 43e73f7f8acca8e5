"""The world is frozen: a scene that changes needs another WORLD_VERSION, and all that is compared must be run again.

The hashes hold for the versions of NumPy and Pillow in constraints.txt. To write them anew after bumping the version:
``python -m tests.emulator.test_frozen``.
"""

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.world_probe import draw
from geolocate.emulator.panoramas import nearest_panorama
from geolocate.emulator.world import WORLD_VERSION

PLACES = {
    "London": (51.513, -0.09), "Glasgow": (55.861, -4.25), "Bath": (51.381, -2.359), "St Ives": (50.212, -5.48),
    "Dartmoor": (50.59, -3.93), "Dublin": (53.35, -6.26), "Manhattan": (40.755, -73.98), "Miami": (25.79, -80.13),
    "Ames": (42.1, -93.8), "Tucson": (32.25, -111.2), "Silverton": (37.81, -107.66), "Cascades": (44.4, -122.3),
}  # fmt: skip
FROZEN_VERSION = "2"
FROZEN = {
    "London": "294d8bbce81fd131",
    "Glasgow": "f84c91e493f938e3",
    "Bath": "74be93175de68f5d",
    "St Ives": "5826b3b099bee240",
    "Dartmoor": "534ef5e19439cf4f",
    "Dublin": "e2dccdc05e800d79",
    "Manhattan": "ddc11bab5d43877c",
    "Miami": "90c03ab641f9c643",
    "Ames": "d252f62d68ee9490",
    "Tucson": "2fbc2601186c931f",
    "Silverton": "a1c3b70f5df99e0d",
    "Cascades": "b04a5dbc7b35a82c",
}
PILLOW = "13.0.0"


def digest(name: str) -> str:
    found = nearest_panorama(0, *PLACES[name], 5000.0)
    assert found is not None
    facts = f"{found.pano_id} {found.lat} {found.lon} {found.date} {found.copyright}".encode()
    return hashlib.sha256(facts + draw((found, 90.0, 160))).hexdigest()[:16]


def test_the_version_is_the_frozen_one() -> None:
    assert WORLD_VERSION == FROZEN_VERSION
    pinned = (Path(__file__).resolve().parents[2] / "constraints.txt").read_text()
    assert f"pillow=={PILLOW}" in pinned.lower()


@pytest.mark.skipif(version("pillow") != PILLOW, reason="hashes hold for one version of Pillow and its JPEG encoder")
@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_frozen_scene_has_not_changed(name: str) -> None:
    assert digest(name) == FROZEN[name], "the world has changed: bump WORLD_VERSION and write the hashes anew"


if __name__ == "__main__":
    sys.stdout.writelines(f'    "{place}": "{digest(place)}",\n' for place in PLACES)
