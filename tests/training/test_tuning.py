"""Encoders in the graph, as the study trained them; tiny ones, so that a test can afford it."""

import hashlib

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

from geolocate.models.encoders import image_encoder
from geolocate.models.text_encoders import _minilm_folder
from geolocate.storage import DataRoot
from geolocate.training import TrainConfig, train
from geolocate.training.learner import Learner
from geolocate.training.loader import Loader
from geolocate.training.sources import CachedFeatures, LivePictures
from tests.training.small_dataset import small_dataset


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory):
    """A DistilBERT of one narrow layer, saved as a hub would give it."""
    folder = tmp_path_factory.mktemp("distilbert")
    torch.manual_seed(0)
    DistilBertModel(DistilBertConfig(dim=16, hidden_dim=32, n_layers=1, n_heads=2)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(_minilm_folder(), local_files_only=True).save_pretrained(folder)
    return folder


def _weights(root: DataRoot, run: str) -> str:
    return hashlib.sha256((root.run(run) / "checkpoint.safetensors").read_bytes()).hexdigest()


def test_the_studys_recipe_trains_both_encoders_and_resumes(tmp_path, text_folder):
    root = DataRoot(tmp_path)
    dataset = small_dataset(root, places=6)
    names = {"image_encoder": "efficientnet-lite0", "text_encoder": f"distilbert={text_folder}"}
    config = TrainConfig.study(**names, pixels=32, epochs=2, projection=16)
    run = train(root, dataset, config, "whole")

    before, after = image_encoder("efficientnet-lite0", pixels=32), run.image_encoder()
    assert before.cache_key != after.cache_key
    assert run.text_features.shape == (5, 16)
    changes = {
        name: (after.module.state_dict()[name] - value).abs().max().item()
        for name, value in before.module.named_parameters()
        if "_fc" not in name
    }
    assert max(changes.values()) < 0.01  # its learning rate is a tenth of the heads'
    assert sum(change > 0 for change in changes.values()) > 0.9 * len(changes)

    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("epochs", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(root, dataset, config, "broken", stop)
    train(root, dataset, config, "broken")
    assert _weights(root, "broken") == _weights(root, "whole")


def test_each_part_has_its_own_learning_rate_and_only_the_heads_decay(tmp_path):
    encoder = image_encoder("efficientnet-lite0", pixels=32)
    positions = (np.zeros(3), np.zeros(3))
    config = TrainConfig(freeze_image=False)
    pictures = LivePictures(encoder, Loader.of(DataRoot(tmp_path), encoder, []))
    learner = Learner(pictures, CachedFeatures(torch.rand(3, 8)), config, positions)
    found = [(group["lr"], group["weight_decay"]) for group in learner.optimizer.param_groups]
    assert found == [(1e-3, 1e-3), (1e-3, 0.0), (1e-4, 0.0)]
