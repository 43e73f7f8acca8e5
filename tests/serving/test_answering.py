"""What a user gets of a run that was fitted: refusals, search areas, calibrated probabilities."""

import json
import shutil
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
from typer.testing import CliRunner

from geolocate.cli import build
from geolocate.errors import CheckpointError, GeolocateError
from geolocate.evaluation.answering import ANSWERING, is_fitted, read_answering
from geolocate.evaluation.fit_answering import STUDY, fit_answering
from geolocate.serving import load_predictor, write_search_areas
from geolocate.storage import read_json, write_json
from geolocate.training.checkpoints import load_run
from tests.evaluation.trained import CITIES, RUNS, picture

BRISTOL = 2
RUN = "fitted"


@pytest.fixture(scope="module")
def fitted(root):
    """A copy of a run, fitted."""
    shutil.copytree(root.run(RUNS[1]), root.run(RUN), dirs_exist_ok=True)
    yield fit_answering(root, RUN)
    shutil.rmtree(root.run(RUN))


@pytest.fixture(scope="module")
def predictor(root, fitted):
    return load_predictor(root, RUN)


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(99)
    return [picture(BRISTOL / len(CITIES), rng) for _ in range(3)]


@pytest.fixture
def files(tmp_path, views):
    return [_file(tmp_path / f"{number}.jpg", body) for number, body in enumerate(views)]


@pytest.fixture
def spoilt(root, fitted):
    """A copy of the fitted run that a test may spoil."""
    shutil.copytree(root.run(RUN), root.run("spoilt-answering"))
    yield load_run(root, "spoilt-answering")
    shutil.rmtree(root.run("spoilt-answering"))


def test_it_says_on_what_it_was_fitted_and_reads_no_test_row(root, fitted):
    card = read_json(root.run(RUN) / ANSWERING)
    run = load_run(root, RUN)
    assert card["dataset"]["sha256"] == run.dataset.sha256
    assert card["checkpoint_sha256"] == read_json(run.path / "checkpoint.json")["checkpoint_sha256"]
    assert card["calibration"]["panoramas"] > 0
    assert {"gallery.safetensors", "gallery.parquet"} == set(card["files"])
    assert is_fitted(run)
    log = root.dataset("cities") / "test_reads.jsonl"
    assert not log.exists() or RUN not in [json.loads(line)["reader"] for line in log.read_text().splitlines()]


def test_fitting_again_writes_the_same_to_the_byte(root, fitted):
    before = {name: (root.run(RUN) / name).read_bytes() for name in (ANSWERING, "gallery.safetensors")}
    fit_answering(root, RUN)
    assert {name: (root.run(RUN) / name).read_bytes() for name in before} == before


def test_three_views_are_answered_with_their_city_and_ground_to_search(predictor, views):
    prediction = predictor.predict(views, emulated=True)
    assert (prediction.calibrated, prediction.refused) == (True, False)
    assert prediction.places[0].name == "Bristol"
    small, large = prediction.areas
    assert (small.share, large.share) == (0.5, 0.9)
    assert 0 < small.km2 <= large.km2 < 244_000
    assert set(small.cell_ids) <= set(large.cell_ids)


def test_the_study_answers_with_the_class_that_its_softmax_prefers(root, spoilt, views):
    study = fit_answering(root, spoilt.run, STUDY)
    assert (study.card.temperature, study.card.knn.share, study.card.decoder) == (1.0, 0.0, "argmax")
    prediction = load_predictor(root, spoilt.run).predict(views, emulated=True)
    best = prediction.places[0]
    assert (prediction.lat, prediction.lon) == (best.lat, best.lon)


@pytest.mark.parametrize("ending", ["geojson", "kml"])
def test_the_command_writes_the_search_areas(root, fitted, files, tmp_path, monkeypatch, ending):
    monkeypatch.setenv("GEOLOCATE_DATA", str(root.path))
    out = tmp_path / f"out.{ending}"
    arguments = ["predict", "--run", RUN, "--emulated", "--area", str(out), *map(str, files)]
    said = CliRunner().invoke(build(), arguments)
    assert said.exit_code == 0, said.output
    assert "50% search area" in said.output
    assert "km² of land" in said.output
    frame = gpd.read_file(out).rename(columns=str.lower)  # KML's reader names them in lower case
    assert frame["name"].tolist() == ["90% search area", "50% search area"]
    assert frame["description"].str.contains("emulated world").all()


def test_a_file_of_another_kind_is_refused_before_any_work(root, fitted, files, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLOCATE_DATA", str(root.path))
    said = CliRunner().invoke(build(), ["predict", "--area", str(tmp_path / "out.shp"), "nothing.jpg"])
    assert isinstance(said.exception, GeolocateError)
    assert ".geojson, .json, .kml" in str(said.exception)


def test_a_run_that_was_never_evaluated_says_so_and_has_no_area(root, fitted, views, tmp_path):
    bare = replace(load_predictor(root, RUN), answering=None)
    prediction = bare.predict(views, emulated=True)
    assert (prediction.calibrated, prediction.refused, prediction.areas) == (False, False, ())
    with pytest.raises(CheckpointError, match="geolocate model evaluate fitted"):
        write_search_areas(tmp_path / "out.kml", prediction)


def test_what_was_fitted_for_another_checkpoint_is_refused(root, spoilt):
    path = spoilt.path / ANSWERING
    write_json(path, {**read_json(path), "checkpoint_sha256": "0" * 64})
    assert not is_fitted(spoilt)
    with pytest.raises(CheckpointError, match=r"fitted for another checkpoint: .*geolocate model evaluate"):
        load_predictor(root, spoilt.run)


def test_a_gallery_that_was_changed_is_refused(root, spoilt):
    (spoilt.path / "gallery.parquet").write_bytes(b"another")
    with pytest.raises(CheckpointError, match=r"gallery\.parquet is not what was written"):
        load_predictor(root, spoilt.run)


def test_a_gallery_of_another_encoder_is_refused(root, spoilt):
    with pytest.raises(CheckpointError, match="of encoder 'efficientnet"):
        read_answering(root, spoilt, "resnet50-other")


def test_answering_json_of_another_format_or_damaged_is_a_line(root, spoilt):
    path = spoilt.path / ANSWERING
    card = read_json(path)
    write_json(path, {**card, "format_version": 99})
    with pytest.raises(CheckpointError, match="format_version 99, this program reads 1"):
        load_predictor(root, spoilt.run)
    write_json(path, {**card, "temperature": -1})
    with pytest.raises(CheckpointError, match="is damaged") as refusal:
        load_predictor(root, spoilt.run)
    assert "\n" not in str(refusal.value)


def test_neighbours_are_chosen_on_val_ground_and_have_to_be_likelier(fitted):
    tried, knn = fitted.card.knn_tried, fitted.card.knn
    mine = [one for one in tried if (one["share"], one["softness"]) == (knn.share, knn.softness)]
    nearest = min(tried, key=lambda one: one["val_mean_km"])
    assert tried[0]["share"] == 0
    assert len(mine) == 1
    assert mine[0]["val_nll"] <= nearest["val_nll"]


def _file(path, body):
    path.write_bytes(body)
    return path
