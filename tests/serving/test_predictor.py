import io
import json
import shutil
import time

import numpy as np
import pytest
from PIL import ExifTags, Image
from typer.testing import CliRunner

from geolocate.errors import CheckpointError, PictureError, SettingsError
from geolocate.geography.distances import haversine_km
from geolocate.serving import Photo, load_predictor, read_photo, with_headings
from geolocate.storage import DataRoot
from geolocate.training.config import TrainConfig
from geolocate.training.loop import train
from tests.evaluation.trained import CITIES, RUNS, picture

BRISTOL = 2


@pytest.fixture(scope="module")
def predictor(root):
    return load_predictor(root, RUNS[0])


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(99)
    return [picture(BRISTOL / len(CITIES), rng) for _ in range(3)]


def test_three_views_find_their_city(predictor, views):
    prediction = predictor.predict(views, emulated=True)
    assert prediction.places[0].name == "Bristol"
    assert float(haversine_km(prediction.lat, prediction.lon, *CITIES["Bristol"])) < 60


def test_five_places_the_best_first_and_probabilities_of_one_whole(predictor, views):
    places = predictor.predict(views[:1], emulated=True).places
    probabilities = [place.probability for place in places]
    assert len(places) == 5
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1 + 1e-9


def test_the_spread_holds_half_and_nine_tenths(predictor, views):
    prediction = predictor.predict(views, emulated=True)
    assert 0 <= prediction.radius_50_km <= prediction.radius_90_km
    assert prediction.spread_km >= 0


def test_the_order_of_the_views_does_not_matter(predictor, views):
    one, other = (predictor.predict(order, emulated=True) for order in (views, views[::-1]))
    assert one.places[0].probability == pytest.approx(other.places[0].probability, abs=1e-5)


def test_a_model_of_the_emulated_world_refuses_photographs_and_says_why(predictor, views):
    with pytest.raises(CheckpointError, match=r"emulated world.*--emulated") as refusal:
        predictor.predict(views)
    assert "\n" not in str(refusal.value)


def test_a_corrupt_picture_is_one_line_that_names_the_file(predictor, views, tmp_path):
    (tmp_path / "half.jpg").write_bytes(views[0][: len(views[0]) // 2])
    with pytest.raises(PictureError, match=r"half\.jpg") as refusal:
        predictor.predict_photos([read_photo(tmp_path / "half.jpg")], emulated=True)
    assert "\n" not in str(refusal.value)
    with pytest.raises(PictureError, match=r"gone\.jpg: No such file"):
        read_photo(tmp_path / "gone.jpg")
    with pytest.raises(PictureError, match="no photograph given"):
        predictor.predict([], emulated=True)


def test_the_run_finished_last_is_asked_by_default(root):
    path = root.run(RUNS[0]) / "checkpoint.json"
    stamp = path.stat().st_mtime
    assert load_predictor(root).run.run == RUNS[1]
    later = time.time() + 5
    import os

    os.utime(path, (later, later))
    assert load_predictor(root).run.run == RUNS[0]
    os.utime(path, (stamp, stamp))


def test_without_a_run_it_says_how_to_train_one(tmp_path):
    with pytest.raises(CheckpointError, match="geolocate model train"):
        load_predictor(DataRoot(tmp_path))


def test_the_command_prints_five_places_or_json(root, views, tmp_path, monkeypatch):
    from geolocate.cli import build

    monkeypatch.setenv("GEOLOCATE_DATA", str(root.path))
    files = []
    for number, body in enumerate(views):
        files.append(tmp_path / f"{number}.jpg")
        files[-1].write_bytes(body)
    arguments = ["predict", "--run", RUNS[0], "--emulated", *map(str, files)]
    printed = CliRunner().invoke(build(), arguments)
    assert printed.exit_code == 0, printed.output
    assert "Bristol" in printed.output
    told = json.loads(CliRunner().invoke(build(), [*arguments, "--json"]).output)
    assert (told["world"], told["photos"], len(told["places"])) == ("emulated", 3, 5)
    asked = CliRunner().invoke(build(), [*arguments, *("--heading", "0") * 3])
    assert asked.exit_code == 0, asked.output
    assert str(CliRunner().invoke(build(), [*arguments, "--heading", "0"]).exception).startswith("1 headings for 3")


@pytest.fixture(scope="module")
def turning(root):
    """A run that tells views apart by where they look."""
    from geolocate.dataset import open_dataset

    config = TrainConfig(pixels=64, epochs=1, batch_size=64, fusion="concat", views="all", select_by="val_loss")
    train(root, open_dataset(root, "cities"), config, "turning")
    yield load_predictor(root, "turning")
    shutil.rmtree(root.run("turning"))


def test_where_the_views_look_reaches_a_model_that_tells_them_apart(turning, views):
    def asked(*headings):
        photos = with_headings([Photo(str(number), body) for number, body in enumerate(views)], headings)
        return turning.predict_photos(photos, emulated=True).places[0].probability

    unknown = turning.predict(views, emulated=True).places[0].probability
    assert asked(0, 90, 180) != pytest.approx(unknown, abs=1e-4)
    assert asked(0, 90, 180) != pytest.approx(asked(180, 90, 0), abs=1e-4)
    assert asked(0, 0, 0) == asked(360, 0, 360) == pytest.approx(unknown)


def test_the_compass_of_a_camera_is_not_believed(turning, views):
    def with_compass(body, degrees):
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(
            {ExifTags.GPS.GPSImgDirectionRef: "T", ExifTags.GPS.GPSImgDirection: float(degrees)}
        )
        # Put before the other segments: saved again, the picture itself would change.
        segment = exif.tobytes()
        noted = body[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + body[2:]
        gps = Image.open(io.BytesIO(noted)).getexif().get_ifd(ExifTags.IFD.GPSInfo)
        assert gps[ExifTags.GPS.GPSImgDirection] == degrees
        return noted

    turned = [with_compass(body, 90 * number) for number, body in enumerate(views)]
    asked = [turning.predict(bodies, emulated=True).places[0].probability for bodies in (views, turned)]
    assert asked[0] == pytest.approx(asked[1], abs=1e-6)


def test_headings_that_do_not_match_are_one_line(predictor, views):
    photos = [Photo(str(number), body) for number, body in enumerate(views)]
    with pytest.raises(SettingsError, match="2 headings for 3 photographs: give --heading once for each"):
        with_headings(photos, [0, 90])
    for wrong in (-1, 361, float("nan")):
        with pytest.raises(SettingsError, match=f"heading {wrong}: give degrees"):
            with_headings(photos, [0, 90, wrong])
    with pytest.raises(PictureError, match=r"^1 has no heading and others have one"):
        predictor.predict_photos([Photo("0", views[0], 90.0), Photo("1", views[1])], emulated=True)
