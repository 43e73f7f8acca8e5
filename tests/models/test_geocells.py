"""Geocells: nested, drawn from the training places, and probabilities that multiply down the hierarchy."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.errors import DatasetError
from geolocate.geography.distances import haversine_km
from geolocate.models.geocells import CellHead, cells_from_json, cells_from_places


def places(count=400, seed=0):
    rng = np.random.default_rng(seed)
    return np.append(rng.normal(51.5, 0.1, count // 2), rng.uniform(50, 58, count // 2)), np.append(
        rng.normal(-0.1, 0.1, count // 2), rng.uniform(-5, 1, count // 2)
    )


@given(seed=st.integers(0, 50), count=st.integers(1, 300))
@settings(max_examples=20, deadline=None)
def test_each_place_lies_in_one_cell_a_level_and_cells_are_nested(seed, count):
    lat, lon = places(2 * count, seed)
    cells = cells_from_places(lat, lon, depths=(1, 3))
    found = cells.find(lat, lon)
    assert (cells.parents[0][found[:, 1]] == found[:, 0]).all()
    assert set(found[:, 1]) == set(range(cells.sizes[1]))


def test_where_there_are_many_places_cells_are_small():
    lat, lon = places()
    cells = cells_from_places(lat, lon)
    radius = cells.radius_km[cells.find(np.array([51.5, 56.5]), np.array([-0.1, -4.0]))[:, -1]]
    assert radius[0] < radius[1] / 4
    counts = np.bincount(cells.find(lat, lon)[:, -1])
    assert counts.min() >= 3
    assert counts.max() < 16


def test_a_place_outside_all_training_places_has_a_cell_too():
    cells = cells_from_places(*places())
    assert cells.find(np.array([60.8]), np.array([-0.9])).shape == (1, 3)


def test_many_places_at_one_spot_are_one_cell():
    cells = cells_from_places(np.full(100, 51.5), np.full(100, -0.1))
    assert cells.sizes == (1, 1, 1)


def test_without_places_it_says_so():
    with pytest.raises(DatasetError, match="no training places"):
        cells_from_places(np.array([]), np.array([]))


def test_the_finest_cells_add_up_to_their_parents():
    cells = cells_from_places(*places(), depths=(1, 3))
    head = CellHead(8, cells)
    embedding = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        finest = head.log_posterior(embedding).exp()
        coarse = head.levels[0](embedding).softmax(dim=1)
    summed = torch.zeros_like(coarse).index_add(1, torch.from_numpy(cells.parents[0]), finest)
    torch.testing.assert_close(summed, coarse)
    torch.testing.assert_close(finest.sum(dim=1), torch.ones(5))


def test_an_offset_can_be_learned_and_never_leaves_the_cell():
    lat, lon = places()
    cells = cells_from_places(lat, lon)
    head = CellHead(4, cells)
    embedding = torch.ones(1, 4)
    truth = torch.tensor([51.52]), torch.tensor([-0.12])
    cell = torch.from_numpy(cells.find(truth[0].numpy(), truth[1].numpy())[:, -1])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        head.offset_loss(embedding, *(value.double() for value in truth), cell).backward()
        optimizer.step()
    with torch.no_grad():
        at = head.positions(embedding)[0, cell[0]]
        everywhere = head.positions(100 * torch.randn(3, 4))
    assert haversine_km(float(at[0]), float(at[1]), 51.52, -0.12) < 0.1
    km = haversine_km(everywhere[..., 0].numpy(), everywhere[..., 1].numpy(), cells.lat[None], cells.lon[None])
    assert (km <= 1.5 * cells.radius_km[None]).all()


def test_the_loss_is_the_path_down_the_hierarchy_worked_out_by_hand():
    """Four spots, two levels of 2 and 4 cells: −log P(parent) − log P(child among its sisters)."""
    lat, lon = np.repeat([50.0, 50.0, 58.0, 58.0], 8), np.repeat([-4.0, 0.0, -4.0, 0.0], 8)
    cells = cells_from_places(lat, lon, depths=(1, 2))
    assert cells.sizes == (2, 4)
    head = CellHead(3, cells)
    embedding, true = torch.randn(1, 3), torch.from_numpy(cells.find(lat[:1], lon[:1]))
    coarse, fine = (level(embedding)[0] for level in head.levels)
    sisters = [at for at in range(4) if cells.parents[0][at] == true[0, 0]]
    path = -coarse.log_softmax(0)[true[0, 0]] - fine[true[0, 1]] + fine[sisters].logsumexp(0)
    place = torch.from_numpy(lat[:1]), torch.from_numpy(lon[:1])
    offset = head.offset_loss(embedding, *place, true[:, 1])
    torch.testing.assert_close(head.loss(embedding, *place, true), path + offset)


def test_each_level_and_the_offset_of_the_true_cell_learn():
    cells = cells_from_places(*places(), depths=(1, 3))
    head = CellHead(4, cells)
    at = np.array([51.5]), np.array([-0.1])
    found = torch.from_numpy(cells.find(*at))
    head.loss(torch.ones(1, 4), *(torch.from_numpy(value) for value in at), found).backward()
    assert all(level.weight.grad.abs().sum() > 0 for level in head.levels)
    moved = head.offset.weight.grad.view(-1, 2, 4).abs().sum(dim=(1, 2)).nonzero().flatten()
    assert moved.tolist() == [found[0, -1]]


def test_a_cell_speaks_for_the_classes_of_its_places():
    lat, lon = np.repeat([50.0, 58.0], 8), np.zeros(16)
    cells = cells_from_places(lat, lon, np.array([0] * 8 + [1] * 6 + [2] * 2), depths=(1,))
    assert cells.counts.tolist() == [[8, 0, 0], [0, 6, 2]]
    head = CellHead(2, cells)
    with torch.no_grad():
        head.levels[0].weight.zero_()
        head.levels[0].bias.copy_(torch.tensor([0.2, 0.8]).log())
        found = head.class_posterior(torch.zeros(1, 2))
    assert found[0].tolist() == pytest.approx([0.2, 0.6, 0.2], rel=1e-6)


def test_cells_come_back_from_json_to_the_bit():
    lat, lon = places()
    cells = cells_from_places(lat, lon, np.arange(400) % 7)
    again = cells_from_json(json.loads(json.dumps(cells.to_json(), allow_nan=False)))
    for name in ("axis", "cut", "lat", "lon", "radius_km", "counts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(cells, name))
    np.testing.assert_array_equal(again.find(lat, lon), cells.find(lat, lon))
