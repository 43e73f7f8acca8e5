"""A planted shortcut is caught by its probe; a dataset without one is at chance."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from geolocate.dataset.measures import measure_pictures
from geolocate.dataset.probes import PROBES, run_probes
from geolocate.storage import DataRoot
from tests.dataset.scenes import SIDE, scene, with_pictures
from tests.manifest.rows import manifest_rows

CLASSES = 4
PER_CLASS = 30


@pytest.fixture
def root(tmp_path):
    return DataRoot(tmp_path)


def split_rows(seed=0):
    """Panoramas of four classes with one view each, a third of them on test ground, all else alike."""
    rng = np.random.default_rng(seed)
    frames = []
    for name in range(CLASSES):
        rows = manifest_rows(PER_CLASS, lat=51 + name, lon=-1.0, spread=0.02, seed=100 * seed + name)
        frames.append(rows[rows["heading"] == 0.0].assign(class_id=str(name)))
    rows = pd.concat(frames, ignore_index=True)
    part = np.where(rng.random(len(rows)) < 1 / 3, "test", "train")
    months = rng.choice(["2019-05", "2020-06", "2021-07", "2022-08"], len(rows))
    return rows.assign(part=part, block_id=[f"block-{i // 2}" for i in range(len(rows))], captured=months)


def above(root, rows):
    return {result.name for result in run_probes(rows, measure_pictures(root, rows["sha256"])).results if result.above}


def plain(number, row):
    return scene(number)


def test_without_a_shortcut_every_probe_is_at_chance(root):
    report = run_probes(rows := with_pictures(root, split_rows(), plain), measure_pictures(root, rows["sha256"]))
    assert {result.name for result in report.results} == set(PROBES)
    assert not any(result.above or result.nearer for result in report.results)
    assert report.chance.uniform == 1 / CLASSES


def test_a_quality_by_class_is_caught_by_the_file_probe(root):
    rows = with_pictures(root, split_rows(), plain, quality=lambda row: 70 + 5 * int(row["class_id"]))
    assert above(root, rows) == {"file", "colour"}


def test_a_tint_by_class_is_caught_by_the_colour_probe_and_not_by_the_file(root):
    def tinted(number, row):
        image = np.asarray(scene(number)).astype(int)
        image[:, :, 0] += 25 * int(row["class_id"])
        return _image(image)

    assert "colour" in (found := above(root, with_pictures(root, split_rows(), tinted)))
    assert "file" not in found


def _image(pixels):
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(("probe", "rows_of"), [("sky", slice(0, SIDE // 5)), ("car", slice(-(SIDE // 5), None))])
def test_a_mark_in_the_sky_or_on_the_car_is_caught_by_its_probe(root, probe, rows_of):
    def marked(number, row):
        image = np.asarray(scene(number)).copy()
        column = 20 * int(row["class_id"])
        image[rows_of, column : column + 12] = 255
        return _image(image)

    found = above(root, with_pictures(root, split_rows(), marked))
    assert probe in found
    assert {"sky", "car"} - {probe} - found


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("captured", ["2019-05", "2020-06", "2021-07", "2022-08"]),
        ("creator", ["Ann", "Bea", "Cy", None]),
    ],
)
def test_a_month_or_a_creator_by_class_is_caught_by_the_provenance_probe(root, column, values):
    rows = with_pictures(root, split_rows(), plain)
    rows[column] = [values[int(name)] for name in rows["class_id"]]
    assert above(root, rows) == {"provenance"}


def test_too_little_test_ground_is_said_instead_of_judged(root):
    rows = with_pictures(root, split_rows(), plain).assign(block_id="one")
    report = run_probes(rows, measure_pictures(root, rows["sha256"]))
    assert report.results == ()
    assert "1 blocks of test ground" in report.reason


def test_without_pictures_nothing_is_judged(root):
    rows = split_rows()
    assert "0 blocks" in run_probes(rows, measure_pictures(root, rows["sha256"])).reason
