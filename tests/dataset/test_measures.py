import shutil

import numpy as np
import pandas as pd
import pytest

from geolocate.dataset.measures import forget_measures, measure_pictures, thumbnails
from geolocate.storage import DataRoot
from tests.dataset.scenes import flat, scene, stored


@pytest.fixture
def root(tmp_path):
    return DataRoot(tmp_path)


def test_light_detail_and_the_thumbnail_are_those_of_the_picture(root):
    names = {level: stored(root, flat(level))[0] for level in (10, 240)} | {"scene": stored(root, scene(1))[0]}
    measures = measure_pictures(root, names.values())
    assert measures.loc[names[10], "brightness"] == pytest.approx(10, abs=1)
    assert measures.loc[names[240], "brightness"] == pytest.approx(240, abs=1)
    assert measures.loc[names[10], "detail"] < 0.1 < measures.loc[names["scene"], "detail"]
    assert measures.loc[names[10], "common_share"] == 1.0 > measures.loc[names["scene"], "common_share"]
    small = np.asarray(scene(1).resize((20, 20)), float)
    assert np.abs(thumbnails(measures.loc[[names["scene"]]])[0] - small).mean() < 6


def test_a_picture_measured_once_is_not_decoded_again(root):
    names = [stored(root, scene(seed))[0] for seed in range(5)]
    first = measure_pictures(root, names)
    shutil.rmtree(root.path / "store" / "images")
    pd.testing.assert_frame_equal(measure_pictures(root, names), first)
    assert measure_pictures(root, [stored(root, scene(9))[0], *names]).shape[0] == 6


def test_a_damaged_picture_is_said_to_be_and_measured_when_it_was_mended(root):
    whole, _ = stored(root, scene(3))
    body = root.image(whole).read_bytes()
    root.image(whole).write_bytes(body[: len(body) // 2])
    assert not measure_pictures(root, [whole])["readable"].any()
    root.image(whole).write_bytes(body)
    assert measure_pictures(root, [whole])["readable"].all()


def test_a_picture_that_is_not_there_has_no_row(root):
    assert measure_pictures(root, ["0" * 64]).empty


def test_what_is_forgotten_is_erased_and_the_rest_is_kept(root):
    names = [stored(root, scene(seed))[0] for seed in range(4)]
    measure_pictures(root, names)
    shutil.rmtree(root.path / "store" / "images")
    forget_measures(root, names[:1])
    assert set(measure_pictures(root, names).index) == set(names[1:])
