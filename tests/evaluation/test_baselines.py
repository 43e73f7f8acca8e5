"""Baselines learn what there is to learn, are tuned on val ground only, and are scored like runs."""

import shutil

import numpy as np
import pytest
import torch

from geolocate.dataset import open_dataset
from geolocate.errors import SettingsError
from geolocate.evaluation import Bootstrap
from geolocate.evaluation.baseline_runs import BaselineConfig, evaluate_baseline
from geolocate.evaluation.baselines import BASELINES, Seen, Task
from geolocate.evaluation.compare import compare
from geolocate.evaluation.study import SYSTEMS, system_of
from geolocate.models.batch import Views, padded_views
from geolocate.models.threads import one_thread
from tests.evaluation.trained import RUNS

FEW = Bootstrap(resamples=50)
CONFIG = BaselineConfig(pixels=64)
LAT, LON = np.array([51.5, 53.8, 55.9]), np.array([-0.1, -1.5, -4.2])


@pytest.fixture(autouse=True, scope="module")
def _others_find_the_root_as_it_was(root):
    before = {path.name for path in (root.path / "runs").iterdir()}
    yield
    for path in (root.path / "runs").iterdir():
        if path.name not in before | set(RUNS):
            shutil.rmtree(path)


def seen(seed, places=60, told=1.0):
    """Places of three classes whose features tell them apart, as much as ``told`` says; two to four views each."""
    rng = np.random.default_rng(seed)
    classes = np.arange(places) % 3
    middle = np.eye(3, 16)
    features, azimuths = [], []
    for number in classes:
        views = int(rng.integers(2, 5))
        features.append(torch.tensor(told * middle[number] + rng.normal(0, 0.2, (views, 16)), dtype=torch.float32))
        azimuths.append(torch.tensor(rng.uniform(0, 360, views), dtype=torch.float32))
    lat, lon = LAT[classes] + rng.normal(0, 0.02, places), LON[classes] + rng.normal(0, 0.02, places)
    return Seen(padded_views(features, azimuths), classes, lat, lon)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small tensors and a busy machine: waiting for the other thread takes longer than the work."""
    with one_thread():
        yield


def task(told=1.0):
    return Task(seen(0, told=told), seen(1, 30, told), LAT, LON, seed=0)


@pytest.mark.parametrize("name", list(BASELINES))
def test_what_can_be_told_is_learned_and_noise_is_not(name):
    test = seen(2, 90)
    fitted = BASELINES[name](task())
    posterior = fitted.posterior(test.views)
    assert np.allclose(posterior.sum(axis=1), 1)
    assert (posterior.argmax(axis=1) == test.classes).mean() > 0.9
    noise = BASELINES[name](task(told=0.0)).posterior(seen(2, 90, 0.0).views)
    assert (noise.argmax(axis=1) == test.classes).mean() < 0.6


@pytest.mark.parametrize("name", list(BASELINES))
def test_the_order_in_which_views_come_does_not_matter(name):
    fitted, views = BASELINES[name](task()), seen(3, 12).views
    turned = Views(views.features.flip(1), views.mask.flip(1), views.azimuth.flip(1))
    assert np.allclose(fitted.posterior(views), fitted.posterior(turned), atol=1e-5)


@pytest.mark.parametrize("name", list(BASELINES))
def test_the_same_seed_gives_the_same_answers(name):
    views = seen(3, 12).views
    first, second = (BASELINES[name](task()).posterior(views) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_neighbour_answers_with_its_own_position_not_its_classs():
    fitted = BASELINES["nearest-neighbour"](task())
    train = seen(0)
    lat, lon = fitted.positions(train.views)
    if fitted.chosen["k"] == 1:
        assert np.allclose(lat, train.lat)
    assert not np.isin(lat, LAT).any()
    assert np.abs(lat - train.lat).max() < 0.5
    assert np.abs(lon - train.lon).max() < 0.5


@pytest.mark.parametrize("name", list(BASELINES))
def test_it_is_scored_like_a_run_and_beats_a_random_class(root, evaluated, name):
    metrics = evaluate_baseline(root, open_dataset(root, "cities"), name, CONFIG, bootstrap=FEW)
    accuracy = metrics["metrics"]["accuracy"]
    assert accuracy["model"]["value"] > accuracy["uniform"]["value"]
    assert metrics["counts"] == evaluated[0]["counts"]
    assert system_of(metrics) == name
    assert name in SYSTEMS
    compared = compare(root, [RUNS[0], metrics["run"]], FEW)
    assert len(compared["runs"]) == 2
    assert metrics["test_reads"]["run"] == 1


def test_seeds_of_a_baseline_are_one_recipe(root, evaluated):
    dataset = open_dataset(root, "cities")
    runs = [
        evaluate_baseline(root, dataset, "nearest-neighbour", BaselineConfig(pixels=64, seed=seed), bootstrap=FEW)[
            "run"
        ]
        for seed in (1, 2)
    ]
    compared = compare(root, [*RUNS, *runs], FEW)
    assert sorted(map(len, compared["seeds"].values())) == [2, 2]


def test_an_unknown_baseline_is_one_line(root):
    with pytest.raises(SettingsError, match="unknown baseline 'svm': choose one of linear-probe, nearest-neighbour, l"):
        evaluate_baseline(root, open_dataset(root, "cities"), "svm")
