"""The whole model: heads beside each other, and checkpoints that say how they are built."""

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from geolocate.errors import CheckpointError
from geolocate.models.batch import padded_views
from geolocate.models.clip import ClipConfig
from geolocate.models.geocells import cells_from_places
from geolocate.models.geolocator import Classes, Geolocator, ModelConfig, geolocator_from_state
from geolocate.models.posterior import class_posterior

RNG = np.random.default_rng(0)
LAT, LON, CLASS = RNG.uniform(50, 58, 120), RNG.uniform(-5, 1, 120), np.arange(120) % 4
CLASSES = Classes(
    torch.randn(4, 5), torch.tensor([51.0, 53, 55, 57]).double(), torch.tensor([-4.0, -2, -1, 0]).double()
)


def config(**changes):
    cells = cells_from_places(LAT, LON, CLASS, depths=(1, 3)).to_json()
    return ModelConfig(**{"image_dim": 6, "text_dim": 5, "clip": ClipConfig(projection=8), "cells": cells} | changes)


def views(places=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    features = [torch.randn(count + 1, 6, generator=draw) for count in range(places)]
    return features, [360 * torch.rand(len(place), generator=draw) for place in features]


def test_with_text_alone_it_answers_as_clip_does():
    model = Geolocator(config(cells=None)).eval()
    features, azimuths = views()
    with torch.no_grad():
        found = model.posterior(padded_views(features, azimuths), CLASSES)
    np.testing.assert_allclose(found, class_posterior(model.clip, features, CLASSES.captions, azimuths), atol=1e-7)


@pytest.mark.parametrize("fusion", ["mean", "attention", "concat"])
def test_all_heads_together_give_a_distribution_that_ignores_the_order_of_views(fusion):
    torch.manual_seed(0)
    model = Geolocator(config(gps="fourier", clip=ClipConfig(projection=8, fusion=fusion))).eval()
    features, azimuths = views()
    with torch.no_grad():
        found = model.posterior(padded_views(features, azimuths), CLASSES)
        turned = padded_views([place.flip(0) for place in features], [place.flip(0) for place in azimuths])
        torch.testing.assert_close(model.posterior(turned, CLASSES), found, atol=1e-6, rtol=1e-5)
    assert found.shape == (3, 4)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3, dtype=torch.float64))


def test_each_head_has_its_say():
    """A head of geocells that is sure of one class's cells moves the mean of three heads by a third."""
    cells = cells_from_places(np.repeat([50.0, 58.0], 8), np.zeros(16), np.repeat([0, 1], 8), depths=(1,))
    model = Geolocator(config(cells=cells.to_json(), gps="fourier")).eval()
    two = Classes(CLASSES.captions[:2], CLASSES.lat[:2], CLASSES.lon[:2])
    with torch.no_grad():
        model.cells.levels[0].weight.zero_()
        answers = []
        for bias in ([20.0, -20.0], [-20.0, 20.0]):
            model.cells.levels[0].bias.copy_(torch.tensor(bias))
            answers.append(model.posterior(padded_views(*views()), two)[:, 0])
    torch.testing.assert_close(answers[0] - answers[1], torch.full((3,), 1 / 3, dtype=torch.float64))


def test_the_cells_answer_is_a_posterior_over_places_of_their_own():
    model = Geolocator(config()).eval()
    with torch.no_grad():
        answer = model.cell_answer(padded_views(*views()))
    assert answer.posterior.shape == answer.lat.shape == answer.lon.shape == (3, model.ground.sizes[-1])
    assert ((answer.lat > 45) & (answer.lat < 63)).all()
    assert Geolocator(config(cells=None)).cell_answer(padded_views(*views())) is None


def test_a_model_is_built_again_from_its_json_and_weights():
    torch.manual_seed(1)
    model = Geolocator(config(gps="fourier", clip=ClipConfig(projection=8, fusion="attention"))).eval()
    again = ModelConfig.model_validate(json.loads(model.config.model_dump_json()))
    twin = geolocator_from_state(again, model.state_dict(), "a checkpoint")
    batch = padded_views(*views())
    with torch.no_grad():
        torch.testing.assert_close(twin.posterior(batch, CLASSES), model.posterior(batch, CLASSES), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_dim": 7}, r"its clip.image_head.projection.weight is \[8, 6\], not \[8, 7\]"),
        ({"cells": None}, "its cells.levels.0.bias is unknown here"),
        ({"gps": "fourier"}, "it has no gps.from_place.bias"),
        ({"clip": ClipConfig(projection=8, fusion="attention")}, "it has no clip.fusion"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused_in_a_line(changes, said):
    state = Geolocator(config()).state_dict()
    with pytest.raises(CheckpointError, match=said) as refused:
        geolocator_from_state(config(**changes), state, "runs/x/checkpoint.safetensors")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("runs/x/checkpoint.safetensors is of another architecture")


def test_an_unknown_gps_encoder_names_the_choices():
    with pytest.raises(ValidationError, match="'fourier' or 'geoclip'"):
        config(gps="galileo")
