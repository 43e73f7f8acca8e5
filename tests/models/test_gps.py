"""Pictures beside coordinates: what is near looks alike, one spot is never its own negative, and it can be learned."""

import math

import numpy as np
import pytest
import torch

from geolocate.geography.distances import haversine_km
from geolocate.models.gps import LENGTHS_KM, FourierEncoder, GeoClipEncoder, GpsHead
from geolocate.models.losses import infonce_loss


def degrees(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("number", range(3))
def test_fourier_features_fall_with_distance_as_a_bell_of_their_length(number):
    length = LENGTHS_KM[number]
    # Due north along a meridian, by half a length, one and two.
    steps = torch.tensor([0.0, 0.5, 1.0, 2.0], dtype=torch.float64) * math.degrees(length / 6371.0088)
    features = FourierEncoder().features(50 + steps, torch.zeros(4)).view(4, 2, 3, 64)[:, :, number]
    alike = torch.einsum("nkw,kw->n", features, features[0]) / 64
    # 64 waves give the bell to about 1/8, one standard deviation of their mean.
    assert alike.tolist() == pytest.approx([math.exp(-d * d / 2) for d in (0, 0.5, 1, 2)], abs=0.25)


def test_there_is_no_seam_in_the_pacific():
    encoder = FourierEncoder()
    west, east = encoder(degrees(10.0), degrees(-180.0)), encoder(degrees(10.0), degrees(180.0))
    torch.testing.assert_close(west, east)


def test_views_of_one_spot_are_pulled_as_if_each_were_the_others_positive():
    torch.manual_seed(0)
    head, embedding = GpsHead(4, "fourier"), torch.randn(3, 4, requires_grad=True)
    lat, lon = degrees(51.5, 51.5, 55.9), degrees(-0.1, -0.1, -3.2)
    pairs = head.embed_places(embedding), head.embed_positions(lat, lon), head.scale
    several = infonce_loss(*pairs, torch.tensor([0, 0, 1]))
    pulls = [torch.autograd.grad(loss, embedding)[0] for loss in (head.loss(embedding, lat, lon), several)]
    torch.testing.assert_close(*pulls)
    assert pulls[0].abs().max() > 0.01


def test_coordinates_can_be_learned_and_places_between_are_sensible():
    """Embeddings that turn with longitude: after training, new ones are put within 60 km of where they belong."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    head = GpsHead(3, "fourier")

    def places(count):
        lat, lon = torch.from_numpy(rng.uniform(50, 58, count)), torch.from_numpy(rng.uniform(-5, 1, count))
        return torch.stack([lat - 54, lon + 2, torch.ones(count)], dim=1).float(), lat, lon

    embedding, lat, lon = places(200)
    optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        head.loss(embedding, lat, lon).backward()
        optimizer.step()
    unseen, true_lat, true_lon = places(100)
    best = head.log_posterior(unseen, lat, lon).argmax(dim=1)
    km = haversine_km(*(value.numpy() for value in (lat[best], lon[best], true_lat, true_lon)))
    assert np.median(km) < 100  # a guess at the middle is 260 km off


def test_geoclips_encoder_knows_the_ground_and_stays_as_it_was_published():
    pytest.importorskip("geoclip")
    encoder = GeoClipEncoder()
    lat, lon = degrees(51.507, 51.515, 53.80), degrees(-0.128, -0.14, -1.55)
    london, also_london, leeds = torch.nn.functional.normalize(encoder(lat, lon), dim=1)
    assert london @ also_london > london @ leeds + 0.1
    head = GpsHead(8, "geoclip")
    head.loss(torch.randn(3, 8), lat, lon).backward()
    assert head.from_position.weight.grad.abs().sum() > 0
    assert not any("positions" in name for name in head.state_dict())
