"""The LSTM baseline reads views by azimuth: the original read them in the order of its folder."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.models.batch import Views, padded_views
from geolocate.models.lstm import GeoguessrLstm, by_azimuth


def model(classes=5):
    torch.manual_seed(0)
    return GeoguessrLstm(6, classes).eval()


@given(views=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_order_in_which_views_come_does_not_matter(views, seed):
    draw = torch.Generator().manual_seed(seed)
    features, azimuths = torch.randn(views, 6, generator=draw), 360 * torch.rand(views, generator=draw)
    order = torch.randperm(views, generator=draw)
    there = model()(padded_views([features], [azimuths]))
    back = model()(padded_views([features[order]], [azimuths[order]]))
    torch.testing.assert_close(there, back)


def test_views_are_read_from_north_clockwise_with_padding_last():
    azimuth = torch.tensor([[270.0, -10.0, 90.0, 5.0]])
    features = torch.arange(4.0).view(1, 4, 1)
    ordered = by_azimuth(Views(features, torch.tensor([[True, True, True, False]]), azimuth))
    assert ordered.features.flatten().tolist() == [2, 0, 1, 3]  # 90°, 270°, 350°, and the padding
    assert ordered.mask.tolist() == [[True, True, True, False]]


def test_where_a_view_looks_does_matter():
    features = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    one = model()(padded_views([features], [torch.tensor([0.0, 90.0])]))
    other = model()(padded_views([features], [torch.tensor([90.0, 0.0])]))
    assert not torch.allclose(one, other, atol=1e-4)


def test_a_place_with_more_views_beside_it_changes_nothing():
    few, many = torch.randn(1, 6), torch.randn(4, 6)
    alone = model()(padded_views([few], [torch.zeros(1)]))
    together = model()(padded_views([few, many], [torch.zeros(1), torch.arange(4.0)]))
    torch.testing.assert_close(alone[0], together[0])


def test_it_learns_what_only_the_order_tells():
    """The class is which of two alike features comes first."""
    features = torch.eye(2)[torch.tensor([[0, 1], [1, 0]])]
    views = padded_views(list(features), [torch.tensor([0.0, 180.0])] * 2)
    lstm = GeoguessrLstm(2, 2)
    optimizer = torch.optim.Adam(lstm.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        lstm.loss(views, torch.tensor([0, 1])).backward()
        optimizer.step()
    assert lstm.posterior(views).diagonal().min() > 0.95
