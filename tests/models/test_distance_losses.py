"""Losses that know the ground: worked out by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from geolocate.geography import distances
from geolocate.models.losses import geography_loss, haversine_km, haversine_loss, region_loss, smoothed_targets


def test_distances_are_those_of_the_rest_of_the_library():
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(-80, 80, 5), rng.uniform(-180, 180, 5)
    ours = haversine_km(*(torch.from_numpy(values) for values in (lat, lon, lat, lon)))
    theirs = distances.haversine_km(lat[:, None], lon[:, None], lat[None], lon[None])
    assert ours.numpy() == pytest.approx(theirs, abs=1e-6)


def test_smoothed_targets_fall_by_e_with_each_tau():
    targets = smoothed_targets(torch.tensor([[10.0, 85.0, 160.0]]), tau_km=75.0)
    assert targets.sum().item() == pytest.approx(1.0)
    assert (targets[0, 0] / targets[0, 1]).item() == pytest.approx(math.e, rel=1e-5)
    assert (targets[0, 1] / targets[0, 2]).item() == pytest.approx(math.e, rel=1e-5)


def test_with_a_tiny_tau_it_is_the_ordinary_cross_entropy():
    logits = torch.tensor([[2.0, 1.0, -1.0]])
    loss = haversine_loss(logits, torch.tensor([[0.0, 50.0, 90.0]]), tau_km=0.01)
    assert loss.item() == pytest.approx(F.cross_entropy(logits, torch.tensor([0])).item(), rel=1e-5)


def test_a_near_miss_costs_less_than_a_far_one():
    km = torch.tensor([[0.0, 20.0, 500.0]])
    near = haversine_loss(torch.tensor([[0.0, 5.0, 0.0]]), km, tau_km=75.0)
    far = haversine_loss(torch.tensor([[0.0, 0.0, 5.0]]), km, tau_km=75.0)
    assert near < far


def test_pictures_of_one_cell_are_never_each_others_negatives():
    """Two pictures of one cell that are alike, and one of another cell: by hand, with a scale of 1."""
    images = F.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), dim=1)
    loss = region_loss(images, torch.tensor([[0], [0], [1]]), torch.tensor(1.0))
    # Rows 0 and 1 see each other (1) and row 2 (0); row 2 has no positive and does not count.
    assert loss.item() == pytest.approx(-math.log(math.e / (math.e + 1)), rel=1e-5)


def test_levels_of_the_hierarchy_count_alike():
    images = F.normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    coarse, fine = torch.tensor([0, 0, 0, 0]), torch.tensor([0, 0, 1, 1])
    both = region_loss(images, torch.stack([coarse, fine], dim=1), torch.tensor(3.0))
    each = [region_loss(images, level[:, None], torch.tensor(3.0)) for level in (coarse, fine)]
    assert both.item() == pytest.approx(sum(loss.item() for loss in each) / 2, rel=1e-5)


def test_a_batch_of_strangers_costs_nothing_and_has_a_gradient():
    images = torch.eye(3, requires_grad=True)
    loss = region_loss(images, torch.tensor([[0], [1], [2]]), torch.tensor(1.0))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.isfinite(images.grad).all()


def test_pictures_that_lie_apart_as_their_places_cost_nothing():
    angle = torch.tensor([0.0, math.pi / 2, math.pi])
    images = torch.stack([angle.cos(), angle.sin()], dim=1)
    apart = 1 - images @ images.T
    assert geography_loss(images, 300 * apart).item() == pytest.approx(0.0, abs=1e-6)
    assert geography_loss(images, 300 * (2 - apart)).item() > 0.3
