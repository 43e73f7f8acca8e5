import io

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from geolocate.errors import EncoderError, PictureError
from geolocate.models.encoders import image_encoder, text_encoder


def _jpeg(width: int, height: int, **options: object) -> bytes:
    rng = np.random.default_rng(width)
    small = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    body = io.BytesIO()
    small.resize((width, height)).save(body, "JPEG", **options)
    return body.getvalue()


@pytest.fixture(scope="module", params=["efficientnet-lite0", "efficientnet-lite0-stages"])
def lite0(request):
    return image_encoder(request.param)


@pytest.fixture(scope="module")
def minilm():
    return text_encoder("minilm")


def test_an_encoder_at_hand_tells_like_from_unlike(lite0):
    rng = np.random.default_rng(0)
    scene = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).resize((320, 320))
    other = Image.fromarray(rng.integers(0, 60, (40, 40, 3), dtype=np.uint8)).resize((320, 320))
    bodies = []
    for image in (scene, scene.crop((10, 10, 310, 310)), other):
        body = io.BytesIO()
        image.save(body, "JPEG")
        bodies.append(body.getvalue())
    features = lite0.encode_bodies(bodies)
    assert features.shape == (3, lite0.dim)
    same, different = torch.cosine_similarity(features[:1], features[1:])
    assert same > different + 0.1


def test_all_stages_are_seen_with_as_much_weight():
    """A colour cast that the last layer was trained to overlook is seen in the middle."""
    encoder = image_encoder("efficientnet-lite0-stages")
    features = encoder.encode_bodies([_jpeg(200, 200)])[0]
    widths = [16, 24, 40, 80, 112, 192, 320]
    groups = features.split([width for width in widths for _ in ("mean", "spread")])
    assert sum(map(len, groups)) == encoder.dim
    for group in groups:
        assert float(group.mean()) == pytest.approx(0, abs=1e-4)
        assert float(group.std(correction=0)) == pytest.approx(1, abs=0.05)


def test_a_stage_that_sees_one_point_has_no_spread_and_a_gradient_all_the_same():
    encoder = image_encoder("efficientnet-lite0-stages=random", pixels=32)
    encoder.module.train()
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    features = encoder.module(pictures)
    features.square().mean().backward()
    assert torch.isfinite(features).all()
    gradients = [one.grad for one in encoder.module.parameters() if one.grad is not None]
    assert gradients
    assert all(torch.isfinite(one).all() for one in gradients)


def test_every_picture_becomes_the_same_square(lite0):
    for body in (_jpeg(320, 320), _jpeg(900, 300), _jpeg(20, 31)):
        assert lite0.preprocess(body).shape == (3, lite0.pixels, lite0.pixels)


def test_a_picture_turned_by_exif_is_upright(lite0):
    upright = Image.new("RGB", (200, 200), "black")
    upright.paste("white", (0, 0, 200, 100))
    body, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned: rotate by 270° to look at it
    upright.transpose(Image.Transpose.ROTATE_90).save(body, "JPEG", exif=exif)
    tensor = lite0.preprocess(body.getvalue())
    assert tensor[:, :40].mean() > 0.9
    assert tensor[:, -40:].mean() < -0.9


@pytest.mark.parametrize("cut", [0, 10, 0.5])
def test_a_broken_picture_is_one_clear_line(lite0, cut):
    body = _jpeg(320, 320)
    broken = body[: int(len(body) * cut)] if isinstance(cut, float) else body[:cut]
    with pytest.raises(PictureError, match=f"picture of {len(broken)} bytes cannot be read") as caught:
        lite0.preprocess(broken)
    assert "\n" not in str(caught.value)


def test_text_is_encoded_the_same_alone_and_among_others(minilm):
    texts = ["City: Leeds", "City: Newcastle upon Tyne, Tyne and Wear, England", "City: Leeds"]
    together = minilm.encode(texts)
    assert together.shape == (3, minilm.dim)
    assert torch.equal(together[0], together[2])
    # Padding must not leak into the mean over tokens.
    torch.testing.assert_close(minilm.encode(texts[:1])[0], together[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("load", "choices"),
    [(image_encoder, "efficientnet-lite0, efficientnet-lite0-stages, resnet50"), (text_encoder, "minilm")],
)
@pytest.mark.parametrize("name", ["vgg16", "", "=", "resnet50=", "RESNET50"])
def test_an_unknown_encoder_names_the_choices(load, choices, name):
    with pytest.raises(EncoderError, match="choose one of") as caught:
        load(name)
    assert choices in str(caught.value)
    assert repr(name) in str(caught.value)


def test_resnet50_is_read_from_a_file_and_refuses_another_models_weights(tmp_path):
    from torchvision.models import resnet50

    net = resnet50()
    torch.save(net.state_dict(), tmp_path / "resnet50.pth")
    save_file(net.state_dict(), tmp_path / "resnet50.safetensors")
    by_pth, by_safetensors, random = (
        image_encoder(f"resnet50={source}", pixels=32)
        for source in (tmp_path / "resnet50.pth", tmp_path / "resnet50.safetensors", "random")
    )
    pictures = torch.rand(2, 3, 32, 32)
    assert torch.equal(by_pth.encode(pictures), by_safetensors.encode(pictures))
    assert by_pth.cache_key == by_safetensors.cache_key != random.cache_key
    assert by_pth.encode(pictures).shape == (2, 2048)
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(EncoderError, match="another model's"):
        image_encoder(f"resnet50={tmp_path / 'other.safetensors'}")


class _Evil:
    def __reduce__(self):
        return (print, ("this must never be printed",))


def test_a_pickle_is_not_run(tmp_path, capsys):
    path = tmp_path / "resnet50.pth"
    torch.save({"fc.weight": _Evil()}, path)
    with pytest.raises(EncoderError, match="no weights that are safe to read"):
        image_encoder(f"resnet50={path}")
    assert "never" not in capsys.readouterr().out


def test_weights_that_cannot_be_had_name_what_is_at_hand(tmp_path, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(EncoderError, match=r"use efficientnet-lite0.*resnet50=PATH"):
        image_encoder("resnet50")
    with pytest.raises(EncoderError, match=r"use minilm.*distilbert=PATH"):
        text_encoder(f"distilbert={tmp_path}")


def test_asking_for_random_weights_gives_the_same_ones_each_time():
    before = torch.random.get_rng_state()
    first, second = image_encoder("efficientnet-lite0=random"), image_encoder("efficientnet-lite0=random")
    assert first.cache_key == second.cache_key
    assert torch.equal(before, torch.random.get_rng_state())
