import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from geolocate.models.clip import Clip, ClipConfig, ProjectionHead
from geolocate.models.posterior import class_posterior


def test_a_head_is_linear_gelu_linear_dropout_residual_norm():
    head = ProjectionHead(6, ClipConfig(projection=4)).eval()
    features = torch.randn(3, 6)
    projected = head.projection(features)
    expected = head.norm(projected + head.linear(torch.nn.functional.gelu(projected)))
    torch.testing.assert_close(head(features), expected)


def test_infonce_compares_directions_and_the_study_does_not():
    features = torch.randn(4, 6)
    norms = {
        loss: Clip(6, 5, ClipConfig(loss=loss)).embed_images(features).norm(dim=-1) for loss in ("infonce", "study")
    }
    torch.testing.assert_close(norms["infonce"], torch.ones(4))
    assert (norms["study"] > 10).all()


def test_features_are_standardised_by_the_training_pictures_where_they_are_frozen():
    plain = Clip(6, 5, ClipConfig(projection=4)).eval()
    clip = Clip(6, 5, ClipConfig(projection=4, standardise=True)).eval()
    clip.load_state_dict(plain.state_dict(), strict=False)
    train = torch.randn(50, 6) * torch.tensor([1, 10, 100, 1, 1, 0]) + 7
    clip.standardise_by(train)
    expected = (train - train.mean(0)) / train.std(0, correction=0).clamp(min=1e-3)
    torch.testing.assert_close(clip.embed_images(train), plain.embed_images(expected), atol=1e-4, rtol=1e-4)
    assert {"feature_mean", "feature_spread"} <= set(clip.state_dict())
    assert "feature_mean" not in plain.state_dict()


def test_the_temperature_is_learned_but_never_below_a_hundredth():
    clip = Clip(6, 5, ClipConfig(temperature=0.07))
    assert clip.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        clip.log_scale.fill_(9.0)
    clip.clamp_temperature()
    assert clip.log_scale.item() == pytest.approx(math.log(100))
    fixed = Clip(6, 5, ClipConfig(loss="study", temperature=1.0))
    assert not fixed.log_scale.requires_grad
    assert fixed.scale.item() == 1.0


def test_an_unknown_loss_names_the_choices():
    with pytest.raises(ValidationError, match="'infonce' or 'study'"):
        ClipConfig(loss="triplet")


@given(panoramas=st.integers(1, 5), views=st.integers(1, 4), classes=st.integers(1, 6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_a_posterior_is_a_distribution_that_ignores_the_order_of_views(panoramas, views, classes, seed):
    torch.manual_seed(seed)
    clip = Clip(6, 5, ClipConfig(projection=8))
    images, texts = torch.randn(panoramas, views, 6), torch.randn(classes, 5)
    posterior = class_posterior(clip, images, texts)
    assert posterior.shape == (panoramas, classes)
    assert (posterior >= 0).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(class_posterior(clip, images.flip(1), texts), posterior, atol=1e-6)
    np.testing.assert_allclose(class_posterior(clip, list(images), texts), posterior, atol=1e-6)


def test_panoramas_may_differ_in_their_number_of_views():
    clip = Clip(6, 5, ClipConfig(projection=8))
    texts, one, three = torch.randn(4, 5), torch.randn(1, 6), torch.randn(3, 6)
    together = class_posterior(clip, [one, three], texts)
    np.testing.assert_allclose(together[0], class_posterior(clip, [one], texts)[0], atol=1e-6)
    np.testing.assert_allclose(together[1], class_posterior(clip, [three], texts)[0], atol=1e-6)


def test_no_panorama_gives_no_row():
    assert class_posterior(Clip(6, 5, ClipConfig()), [], torch.randn(4, 5)).shape == (0, 4)
