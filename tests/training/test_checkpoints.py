"""A finished run says how its model is built; weights of another architecture are refused."""

import json

import numpy as np
import pytest
import torch

from geolocate.errors import CheckpointError
from geolocate.storage import DataRoot
from geolocate.training import TrainConfig, load_run, train
from tests.training.small_dataset import small_dataset

CONFIG = TrainConfig(pixels=32, epochs=1, batch_size=64, projection=16, select_by="val_loss", cells=1.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = DataRoot(tmp_path_factory.mktemp("data"))
    dataset = small_dataset(root, places=6)
    train(root, dataset, CONFIG.model_copy(update={"cells": 0.0}), "text")
    return root, train(root, dataset, CONFIG, "heads")


def rewrite(root, name, change):
    """Let ``change`` edit the run's ``checkpoint.json``, and give back what was there."""
    path = root.run(name) / "checkpoint.json"
    before = path.read_text()
    card = json.loads(before)
    change(card)
    path.write_text(json.dumps(card))
    return before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda card: card["model"].update(image_dim=999), "is of another architecture .*, not .*999"),
        (lambda card: card["model"].update(gps="fourier"), "is of another architecture .*it has no gps"),
        (lambda card: card["model"]["clip"].update(fusion="attention"), "is of another architecture"),
        (lambda card: card["model"]["cells"].pop("cut"), "is damaged"),
        (lambda card: card["model"].update(depth=3), "is damaged"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused_in_one_line(run, change, said):
    root, _ = run
    before = rewrite(root, "heads", change)
    with pytest.raises(CheckpointError, match=said) as refused:
        load_run(root, "heads")
    (root.run("heads") / "checkpoint.json").write_text(before)
    assert "\n" not in str(refused.value)


def test_a_run_of_before_the_other_heads_still_opens(run):
    root, _ = run
    features = [torch.rand(3, 1568, generator=torch.Generator().manual_seed(0))]
    expected = load_run(root, "text").posterior(features)
    rewrite(root, "text", lambda card: card.pop("model"))
    np.testing.assert_array_equal(load_run(root, "text").posterior(features), expected)


def test_geocells_answer_with_positions_that_are_no_class_and_text_alone_has_none(run):
    root, heads = run
    posterior, lat, lon = heads.cell_candidates([torch.rand(3, 1568), torch.rand(1, 1568)])
    assert posterior.shape == lat.shape == lon.shape
    assert posterior.sum(axis=1) == pytest.approx([1, 1])
    assert not set(np.round(lat[0], 6)) & set(np.round(heads.classes["lat"], 6))
    with pytest.raises(CheckpointError, match="no head of geocells: train one with --set cells=1"):
        load_run(root, "text").cell_candidates([torch.rand(3, 1568)])
