"""An open model is asked as our own are, calibrated on calibration ground, and not run where its weights are absent."""

import json
import shutil

import pandas as pd
import pytest

from geolocate.cli import open_models as cli
from geolocate.dataset import open_dataset
from geolocate.errors import DatasetError, SettingsError
from geolocate.evaluation import Bootstrap
from geolocate.evaluation.compare import compare, read_evaluated
from geolocate.evaluation.open_models import evaluate_open_model
from geolocate.evaluation.study import study_table
from geolocate.models.open_models import Weights, open_model
from geolocate.reporting import write_report
from tests.evaluation.trained import RUNS
from tests.models.tiny_clip import thinned, tiny_clip

FEW = Bootstrap(resamples=50)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True, scope="module")
def _others_find_the_root_as_it_was(root):
    before = {path.name for path in (root.path / "runs").iterdir()}
    yield
    for path in (root.path / "runs").iterdir():
        if path.name not in before | set(RUNS):
            shutil.rmtree(path)


@pytest.fixture(scope="module")
def streetclip(root, folder):
    return evaluate_open_model(
        root, open_dataset(root, "cities"), open_model("streetclip", Weights(folder)), bootstrap=FEW
    )


def test_it_is_scored_beside_chance_and_compared_with_ours(root, evaluated, streetclip):
    assert streetclip["kind"] == "open model"
    assert streetclip["metrics"]["mean_km"]["best_constant"]["value"] == pytest.approx(
        evaluated[0]["metrics"]["mean_km"]["best_constant"]["value"]
    )
    assert streetclip["counts"] == evaluated[0]["counts"]
    compared = compare(root, [RUNS[0], streetclip["run"]], FEW)
    assert len(compared["runs"]) == 2
    rows = study_table([read_evaluated(root, RUNS[0]), read_evaluated(root, streetclip["run"])], FEW)
    assert rows["others"]  # a dataset of 20 places is none of the study's tasks
    assert streetclip["open_model"]["licence"] == "CC BY-NC 4.0"
    assert write_report(root, streetclip["run"]).exists()


def test_its_probabilities_are_calibrated_on_calibration_ground(root, streetclip):
    told = streetclip["open_model"]
    calibration = open_dataset(root, "cities").rows("calibration")
    assert told["calibration_panoramas"] == calibration["panorama_id"].nunique() > 0
    before, after = told["calibration_nll"]
    assert after <= before


def test_geoclips_positions_are_its_gallerys(root, folder):
    metrics = evaluate_open_model(
        root, open_dataset(root, "cities"), thinned(open_model("geoclip", Weights(folder))), bootstrap=FEW
    )
    table = pd.read_parquet(root.run(metrics["run"]) / "predictions.parquet")
    classes = set(zip(table["argmax_lat"], table["argmax_lon"], strict=True))
    assert len(classes) <= 6
    assert not classes & set(zip(table["predicted_lat"], table["predicted_lon"], strict=True))
    assert metrics["open_model"]["candidates"] > 100


def test_without_weights_a_row_says_so_and_nothing_is_written(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    before = {path.name for path in (root.path / "runs").iterdir()}
    found = cli.evaluate_wanted(root, cli.Wanted(("openai-clip", "streetclip", "geoclip"), region="uk"), FEW)
    assert [text.startswith("not run: weights absent") for text in found.values()] == [True] * 3
    cli.echo_json(found)
    shown = json.loads(capsys.readouterr().out)
    assert set(shown["geoclip"]) == {"not_run"}
    assert {path.name for path in (root.path / "runs").iterdir()} == before


def test_what_does_not_fit_together_is_one_line(root, folder):
    with pytest.raises(SettingsError, match="unknown open model 'clip'"):
        cli.evaluate_wanted(root, cli.Wanted(("clip",), region="uk"), FEW)
    with pytest.raises(DatasetError, match="0 datasets of region 'us'"):
        cli.evaluate_wanted(root, cli.Wanted(("geoclip",), region="us"), FEW)
    with pytest.raises(DatasetError, match="is of region 'uk', not 'us'"):
        cli.evaluate_wanted(root, cli.Wanted(("geoclip",), region="us", dataset="cities"), FEW)
    with pytest.raises(SettingsError, match="--weights names one folder"):
        cli.evaluate_wanted(root, cli.Wanted(("geoclip", "streetclip"), region="uk", weights=folder), FEW)
    with pytest.raises(SettingsError, match="needs --dataset NAME, or --region"):
        cli.evaluate_wanted(root, cli.Wanted(("geoclip",)), FEW)
