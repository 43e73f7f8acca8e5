"""What training minimises: weights times losses, summed, and each reaches what it should."""

import numpy as np
import pytest
import torch

from geolocate.models.batch import PlaceBatch, padded_views
from geolocate.models.clip import ClipConfig
from geolocate.models.geocells import cells_from_places
from geolocate.models.geolocator import Classes, Geolocator, ModelConfig
from geolocate.models.objective import LossWeights, training_loss

RNG = np.random.default_rng(0)
LAT, LON, CLASS = RNG.uniform(50, 58, 64), RNG.uniform(-5, 1, 64), np.arange(64) % 4
CELLS = cells_from_places(LAT, LON, CLASS, depths=(1, 2))
CLASSES = Classes(
    torch.randn(4, 5), torch.tensor([51.0, 53, 55, 57]).double(), torch.tensor([-4.0, -2, -1, 0]).double()
)


def model():
    torch.manual_seed(0)
    clip = ClipConfig(projection=8, fusion="attention")
    return Geolocator(ModelConfig(image_dim=6, text_dim=5, clip=clip, cells=CELLS.to_json(), gps="fourier")).eval()


def batch(count=12):
    draw = torch.Generator().manual_seed(0)
    features = [torch.randn(1 + number % 3, 6, generator=draw) for number in range(count)]
    views = padded_views(features, [360 * torch.rand(len(place), generator=draw) for place in features])
    truth = (LAT[:count], LON[:count], CLASS[:count], CELLS.find(LAT[:count], LON[:count]))
    return PlaceBatch(views, *(torch.from_numpy(values) for values in truth))


def loss(geolocator, **weights):
    places = batch()
    captions = CLASSES.captions[places.classes]
    return training_loss(geolocator, places, captions, LossWeights(**weights), CLASSES)


def test_losses_are_added_by_their_weights():
    geolocator, names = model(), ["haversine", "region", "geography", "cells", "gps"]
    with torch.no_grad():
        contrast = loss(geolocator)
        parts = {name: loss(geolocator, **{name: 1.0}) - contrast for name in names}
        together = loss(geolocator, haversine=0.5, region=2.0, geography=3.0, cells=0.25, gps=4.0)
    assert all(part > 0.001 for part in parts.values())
    weights = dict(zip(names, (0.5, 2.0, 3.0, 0.25, 4.0), strict=True))
    expected = contrast + sum(weight * parts[name] for name, weight in weights.items())
    assert together.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "reached"),
    [
        ({}, {"clip.image_head", "clip.text_head", "clip.fusion", "clip.log_scale"}),
        ({"cells": 1.0}, {"clip.image_head", "clip.fusion", "cells.levels", "cells.offset"}),
        ({"gps": 1.0}, {"clip.image_head", "clip.fusion", "gps.positions", "gps.from_place", "gps.log_scale"}),
    ],
)
def test_gradients_reach_the_heads_that_count_and_the_picture_through_them(weights, reached):
    geolocator = model()
    # Attention starts at the mean, with nothing to learn but its last layer.
    torch.nn.init.normal_(geolocator.clip.fusion.last.weight)
    loss(geolocator, **weights).backward()
    with_gradient = {
        name for name, value in geolocator.named_parameters() if value.grad is not None and value.grad.abs().sum() > 0
    }
    assert all(any(name.startswith(part) for name in with_gradient) for part in reached)
    silent = {"cells", "gps"} - set(weights)
    assert not any(name.split(".")[0] in silent for name in with_gradient)


def test_a_few_steps_lower_every_loss_at_once():
    geolocator = model()
    weights = {"haversine": 1.0, "region": 1.0, "geography": 1.0, "cells": 1.0, "gps": 1.0}
    optimizer = torch.optim.Adam(geolocator.parameters(), lr=0.01)
    before = loss(geolocator, **weights).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss(geolocator, **weights).backward()
        optimizer.step()
    assert loss(geolocator, **weights).item() < before / 2
