"""What belongs to the region is answered; what is no street at all is refused, and says so."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from geolocate.cli import build
from geolocate.serving import load_predictor
from tests.evaluation.trained import CITIES
from tests.serving.outsiders import KINDS, outsider
from tests.serving.streets import RUN, street, streets_root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return streets_root(tmp_path_factory.getbasetemp() / "streets")


@pytest.fixture(scope="module")
def predictor(root):
    return load_predictor(root, RUN)


@pytest.fixture
def predict(root, tmp_path, monkeypatch):
    """The command, asked about a picture of noise."""
    monkeypatch.setenv("GEOLOCATE_DATA", str(root.path))
    noise = tmp_path / "noise.jpg"
    noise.write_bytes(outsider("noise", 1))
    return lambda *more: CliRunner().invoke(build(), ["predict", "--run", RUN, "--emulated", *more, str(noise)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("views", [1, 3])
def test_what_is_no_street_is_refused(predictor, kind, views):
    refused = [
        predictor.predict([outsider(kind, 9 * seed + view) for view in range(views)], emulated=True).refused
        for seed in range(10)
    ]
    assert sum(refused) >= 9


@pytest.mark.parametrize("views", [1, 3])
def test_most_streets_of_the_region_are_answered(predictor, views):
    rng = np.random.default_rng(7)
    places = [rng.normal(position, 0.05) for position in CITIES.values() for _ in "abcd"]
    bodies = [
        [street(*place, heading, 1000 + number) for heading in (0.0, 90.0, 180.0)[:views]]
        for number, place in enumerate(places)
    ]
    features = predictor.encoder.encode_bodies([body for place in bodies for body in place])
    belief = predictor.answering.ask(torch.split(features, views))
    assert predictor.answering.refuses(belief).mean() <= 0.15


def test_a_refusal_is_a_clear_line_and_no_place_is_named(predict):
    said = predict()
    assert said.exit_code == 0
    assert said.output.startswith("not in this region (uk), indoors, or not at street level")
    assert len(said.output.strip().splitlines()) == 1
    told = json.loads(predict("--json").output)
    assert told["refused"] is True
    assert told["in_region"] < told["refuse_below"]
    assert not {"lat", "lon", "places", "areas"} & set(told)


def test_guess_anyway_guesses_and_still_says_so(predict):
    said = predict("--guess-anyway")
    assert "this is a guess all the same" in said.output
    assert "best single point" in said.output
    told = json.loads(predict("--guess-anyway", "--json").output)
    assert told["refused"] is True
    assert len(told["places"]) == 5
