import numpy as np
import pytest
from PIL import Image

from geolocate.dataset.measures import measure_pictures
from geolocate.dataset.quality import REASONS, quality_counts, quality_of
from geolocate.storage import DataRoot
from tests.dataset.scenes import flat, placed_rows, scene, stored, with_pictures

WITHIN_KM = 5.0


@pytest.fixture
def root(tmp_path):
    return DataRoot(tmp_path)


@pytest.fixture
def rows(root):
    """Twenty panoramas with sixty different pictures."""
    return with_pictures(root, placed_rows(20, spread=0.01), lambda number, row: scene(number))


def flags(root, rows):
    """The flagged images by reason."""
    quality = quality_of(rows, measure_pictures(root, rows["sha256"]), WITHIN_KM)
    found = {reason: set(quality.loc[quality[reason], "image_id"]) for reason in REASONS}
    return {reason: images for reason, images in found.items() if images}


def planted(root, rows, at, image, quality=85):
    sha256, size = stored(root, image, quality)
    rows.loc[at, ["sha256", "bytes"]] = sha256, size
    return {rows.loc[at, "image_id"]}


def test_ordinary_pictures_are_not_flagged(root, rows):
    assert flags(root, rows) == {}


@pytest.mark.parametrize(
    ("image", "reasons"),
    [
        (flat(0xE2), {"near_grey", "too_bright", "low_detail"}),
        (flat(5), {"near_grey", "too_dark", "low_detail"}),
        (scene(7).point(lambda value: value // 10), {"too_dark"}),
        (scene(7, brightness=170), {"too_bright"}),
        (
            Image.linear_gradient("L").resize((96, 96)).point(lambda value: 90 + value // 4).convert("RGB"),
            {"low_detail"},
        ),
    ],
    ids=["grey", "black", "night", "glare", "fog"],
)
def test_a_planted_picture_is_flagged_for_what_it_is(root, rows, image, reasons):
    image_id = planted(root, rows, 10, image)
    found = flags(root, rows)
    assert {reason for reason, images in found.items() if images == image_id} >= reasons


def test_the_same_file_under_two_panoramas_is_a_duplicate(root, rows):
    rows.loc[30, ["sha256", "bytes"]] = rows.loc[0, ["sha256", "bytes"]]
    assert flags(root, rows) == {"duplicate": {rows.loc[0, "image_id"], rows.loc[30, "image_id"]}}


def test_the_same_file_twice_in_one_panorama_is_not(root, rows):
    rows.loc[1, ["sha256", "bytes"]] = rows.loc[0, ["sha256", "bytes"]]
    assert flags(root, rows) == {}


@pytest.mark.parametrize("changed", [lambda i: i, lambda i: i.resize((64, 64)), lambda i: i.point(lambda v: v + 3)])
def test_a_copy_that_was_compressed_resized_or_brightened_is_a_near_duplicate(root, rows, changed):
    copy = planted(root, rows, 30, changed(scene(0)), quality=60)
    assert flags(root, rows) == {"near_duplicate": copy | {rows.loc[0, "image_id"]}}


def test_missing_and_unreadable_pictures_are_told_apart(root, rows):
    root.image(rows.loc[3, "sha256"]).unlink()
    root.image(rows.loc[4, "sha256"]).write_bytes(b"not a picture")
    assert flags(root, rows) == {"missing": {rows.loc[3, "image_id"]}, "unreadable": {rows.loc[4, "image_id"]}}


def test_a_panorama_far_from_its_class_or_from_what_was_asked_for_is_flagged(root, rows):
    stray = rows.index[rows["source_id"] == rows.loc[6, "source_id"]]
    rows.loc[stray, ["lat", "requested_lat"]] += 1.0
    images = set(rows.loc[stray, "image_id"])
    assert flags(root, rows) == {"far_from_class": images}
    rows.loc[stray, "requested_lat"] -= 1.0
    assert flags(root, rows) == {"far_from_class": images, "far_from_request": images}


def test_within_a_cell_nothing_is_far_from_the_class(root, rows):
    rows.loc[:2, ["lat", "requested_lat"]] += 0.3
    measures = measure_pictures(root, rows["sha256"])
    assert quality_of(rows, measures, within_km=5.0)["far_from_class"].sum() == 3
    assert not quality_of(rows, measures, within_km=71.0)["far_from_class"].any()


def test_the_counts_are_those_of_the_table(root, rows):
    planted(root, rows, 10, flat(5))
    quality = quality_of(rows, measure_pictures(root, rows["sha256"]), WITHIN_KM)
    counts = quality_counts(quality)
    assert (counts["images"], counts["measured"], counts["flagged"]) == (60, 60, 1)
    assert counts["reasons"]["too_dark"] == int(np.sum(quality["brightness"] < 30)) == 1
