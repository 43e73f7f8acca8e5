"""Several views as one place: whatever their order, number and padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.errors import DatasetError
from geolocate.models.batch import Views, padded_views
from geolocate.models.fusion import FUSIONS, azimuth_waves

DIM = 16


def fused(name, features, azimuths):
    torch.manual_seed(0)
    fusion = FUSIONS[name](DIM).eval()
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        return fusion(padded_views(features, azimuths))


def place(views, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(views, DIM, generator=generator), 360 * torch.rand(views, generator=generator)


@pytest.mark.parametrize("name", FUSIONS)
@given(views=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_order_of_views_does_not_matter(name, views, seed):
    features, azimuths = place(views, seed)
    order = torch.randperm(views, generator=torch.Generator().manual_seed(seed))
    there, back = fused(name, [features], [azimuths]), fused(name, [features[order]], [azimuths[order]])
    torch.testing.assert_close(there, back, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FUSIONS)
def test_a_place_with_more_views_beside_it_changes_nothing(name):
    few, many = place(1, 1), place(4, 2)
    alone = fused(name, [few[0]], [few[1]])
    together = fused(name, [few[0], many[0]], [few[1], many[1]])
    torch.testing.assert_close(alone[0], together[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FUSIONS)
def test_padding_that_is_no_number_is_never_seen(name):
    features, azimuths = place(2, 3)
    views = padded_views([features, features[:1]], [azimuths, azimuths[:1]])
    spoilt = views.features.clone()
    spoilt[1, 1] = torch.nan
    fusion = FUSIONS[name](DIM)
    assert torch.isfinite(fusion(Views(spoilt, views.mask, views.azimuth))).all()


@pytest.mark.parametrize("name", ["attention", "concat"])
def test_where_a_view_looks_matters(name):
    features, _ = place(2, 4)
    north_east = fused(name, [features], [torch.tensor([0.0, 90.0])])
    south_west = fused(name, [features], [torch.tensor([180.0, 270.0])])
    assert not torch.allclose(north_east, south_west, atol=1e-3)


def test_attention_starts_as_the_mean():
    features, azimuths = place(3, 5)
    views = padded_views([features], [azimuths])
    torch.testing.assert_close(FUSIONS["attention"](DIM)(views), FUSIONS["mean"](DIM)(views))


def test_azimuths_close_a_circle():
    torch.testing.assert_close(
        azimuth_waves(torch.tensor([0.0])), azimuth_waves(torch.tensor([360.0])), atol=1e-5, rtol=0
    )


def test_a_place_without_a_view_is_named_as_such():
    with pytest.raises(DatasetError, match="no view"):
        padded_views([torch.zeros(1, DIM), torch.zeros(0, DIM)], [torch.zeros(1), torch.zeros(0)])
    with pytest.raises(DatasetError, match="one azimuth"):
        padded_views([torch.zeros(2, DIM)], [torch.zeros(1)])
