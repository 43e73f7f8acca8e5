"""The world: deterministic, smooth over the ground, and drawn without knowing where."""

import io
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from geolocate.emulator.camera import Camera
from geolocate.emulator.identifiers import Slot, decode_id, encode_id
from geolocate.emulator.panoramas import nearest_panorama, panorama_by_id
from geolocate.emulator.scenes import draw_scene
from geolocate.emulator.world import Surroundings, surroundings_at

FRONT = Camera(0.0, 0.0, 90.0, 96, 96)


def place(lat: float, lon: float, seed: int = 0) -> Surroundings:
    found = surroundings_at(seed, lat, lon, 0.0, 0)
    assert found is not None
    return found


def difference(first: Surroundings, second: Surroundings) -> float:
    return float(np.abs(np.subtract(first.look, second.look)).mean())


@given(
    st.integers(0, 17999),
    st.integers(0, 35999),
    st.integers(0, 1),
    st.integers(0, 63),
    st.integers(0, 255),
    st.booleans(),
)
def test_ids_decode_to_what_they_were_made_from(
    row: int, column: int, axis: int, road: int, step: int, photosphere: bool
) -> None:
    slot = Slot(row, column, axis, road, step)
    text = encode_id(7, slot, photosphere)
    assert decode_id(7, text) == slot
    assert decode_id(8, text) is None
    assert (len(text) == 22) != photosphere


@given(st.text(max_size=40))
def test_foreign_ids_are_unknown(text: str) -> None:
    assert panorama_by_id(0, text) is None


@settings(max_examples=60, deadline=None)
@example(52.0, 0.40893281536691184, 50.0)  # its road swings out of its tile, over a degree of latitude
@given(st.floats(50.5, 58.5), st.floats(-5.5, 1.5), st.sampled_from([50.0, 300.0, 1000.0]))
def test_a_snapped_panorama_lies_within_the_radius_and_is_found_by_id(lat: float, lon: float, radius_m: float) -> None:
    found = nearest_panorama(0, lat, lon, radius_m)
    if found is None:
        return
    east = (found.lon - lon) * np.cos(np.radians(lat))
    assert np.hypot(found.lat - lat, east) * 111_195 <= radius_m * 1.001 + 0.1
    assert panorama_by_id(0, found.pano_id) == found
    assert nearest_panorama(0, found.lat, found.lon, 5.0) == found
    assert nearest_panorama(0, lat, lon, radius_m + 500) == found


def test_neighbours_share_panoramas_and_the_country_has_gaps() -> None:
    rng = np.random.default_rng(0)
    town = [nearest_panorama(0, 52.48 + a, -1.9 + b, 50.0) for a, b in rng.uniform(-0.002, 0.002, (300, 2))]
    assert 0 < len({p.pano_id for p in town if p}) < sum(p is not None for p in town)
    moor = [nearest_panorama(0, 57.3 + a, -4.8 + b, 250.0) for a, b in rng.uniform(-0.2, 0.2, (200, 2))]
    hits = sum(p is not None for p in moor) / len(moor)
    assert 0.05 < hits < 0.6
    assert sum(p is not None for p in town) / len(town) > hits


def test_some_panoramas_are_users_and_drives_run_for_kilometres() -> None:
    rng = np.random.default_rng(1)
    found = [nearest_panorama(0, 53.8 + a, -1.55 + b, 250.0) for a, b in rng.uniform(-0.04, 0.04, (600, 2))]
    panoramas = [p for p in found if p is not None]
    foreign = [p for p in panoramas if p.copyright != "© Google"]
    assert 0 < len(foreign) / len(panoramas) < 0.08
    assert all(len(p.pano_id) > 22 for p in foreign)
    assert all(len(p.pano_id) == 22 for p in panoramas if p.copyright == "© Google")
    # Far fewer drives than panoramas, and none that covers the town: its light would tell where it is.
    drives = Counter(p.nuisance >> 32 for p in panoramas)
    assert 100 < len(drives) < 0.9 * len({p.pano_id for p in panoramas})
    assert all(len(p.date) == 7 and 2009 <= int(p.date[:4]) <= 2024 for p in panoramas)


def test_a_suburb_looks_like_its_city_and_another_city_does_not() -> None:
    near, far = [], []
    for seed in range(6):
        leeds, suburb, sheffield = (place(*at, seed) for at in ((53.797, -1.544), (53.83, -1.58), (53.38, -1.47)))
        near.append(difference(leeds, suburb))
        far.append(difference(leeds, sheffield))
    assert np.mean(near) < 0.75 * np.mean(far)


@pytest.mark.parametrize(
    ("at", "other", "field"),
    [
        ((33.45, -112.07), (51.5, -0.12), "arid"),
        ((25.77, -80.2), (51.5, -0.12), "tropical"),
        ((42.1, -93.5), (51.5, -0.12), "crops"),
        ((51.5, -0.12), (57.1, -4.7), "built"),
        ((57.1, -4.9), (52.6, 0.2), "rough"),
        ((25.77, -80.2), (57.1, -4.7), "sun_height"),
        ((52.5, -1.9), (50.21, -5.48), "coast_km"),
    ],
)
def test_places_differ_for_the_reasons_that_real_ones_do(
    at: tuple[float, float], other: tuple[float, float], field: str
) -> None:
    assert getattr(place(*at), field) > getattr(place(*other), field) + 0.2


def test_countries_drive_on_their_side() -> None:
    assert place(51.5, -0.12).drives_left
    assert not place(41.88, -87.63).drives_left


def test_drawing_is_told_no_coordinate_name_or_id() -> None:
    names = {field.name for field in fields(Surroundings)}
    assert not names & {"lat", "lon", "latitude", "longitude", "name", "place_id", "pano_id", "id"}


def test_the_same_scene_has_the_same_bytes_and_anything_else_others() -> None:
    leeds = place(53.8, -1.55)
    body = draw_scene(leeds, FRONT, 5 << 32 | 9)
    assert draw_scene(leeds, FRONT, 5 << 32 | 9) == body
    assert draw_scene(leeds, FRONT, 5 << 32 | 10) != body
    assert draw_scene(leeds, Camera(90.0, 0.0, 90.0, 96, 96), 5 << 32 | 9) != body
    assert draw_scene(place(33.45, -112.07), FRONT, 5 << 32 | 9) != body


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0, 360), st.floats(-90, 90), st.floats(1, 120), st.integers(1, 640), st.integers(1, 200),
    st.sampled_from([(51.5, -0.12), (57.1, -4.7), (33.45, -112.07), (25.77, -80.2), (64.8, -147.7), (50.21, -5.48)]),
)  # fmt: skip
def test_any_view_can_be_drawn(
    heading: float, pitch: float, fov: float, width: int, height: int, at: tuple[float, float]
) -> None:
    body = draw_scene(place(*at), Camera(heading, pitch, fov, width, height), 1 << 40)
    assert Image.open(io.BytesIO(body)).size == (width, height)


def test_a_drive_follows_its_road_for_kilometres_in_one_month() -> None:
    start = nearest_panorama(0, 52.72, -0.4, 1000.0)
    assert start is not None
    along = [nearest_panorama(0, start.lat + 0.0005 * k, start.lon, 60.0) for k in range(-80, 80)]
    same = [p for p in along if p is not None and p.nuisance >> 32 == start.nuisance >> 32]
    across = [nearest_panorama(0, start.lat, start.lon + 0.0008 * k, 60.0) for k in range(-80, 80)]
    same += [p for p in across if p is not None and p.nuisance >> 32 == start.nuisance >> 32]
    assert {p.date for p in same} == {start.date}
    assert max(abs(p.lat - start.lat) * 111 + abs(p.lon - start.lon) * 67 for p in same) > 0.7
