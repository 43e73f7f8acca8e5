"""Open models see pictures through their own processor only, and answer within the region only."""

import io
import time

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor

from geolocate.dataset.captions import class_facts
from geolocate.dataset.classes import classes_at
from geolocate.errors import EncoderError, PictureError, WeightsAbsentError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.distances import haversine_km
from geolocate.geography.places import top_places
from geolocate.geography.regions import load_region
from geolocate.models.features import image_features
from geolocate.models.open_models import OPEN_MODELS, Weights, clip_to_region, fused, open_model
from geolocate.storage import DataRoot, sha256_of
from tests.models.tiny_clip import PIXELS, thinned, tiny_clip

UK = load_region("uk")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def facts():
    ids = list(top_places(UK, 30)["place_id"])
    return class_facts(UK, "city", classes_at("city", UK, ids, 50.0), 50.0)


def photo(seed=0, size=(640, 480), orientation=None):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    body = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(body, "JPEG", quality=90, exif=exif)
    return body.getvalue()


@pytest.fixture(scope="module")
def images(folder):
    model = open_model("openai-clip", Weights(folder))
    return fused(model.encoder.encode_bodies([photo(seed) for seed in range(8)]), [np.array([n]) for n in range(8)])


@pytest.mark.parametrize("name", list(OPEN_MODELS))
def test_a_picture_never_passes_another_resize_than_the_processors(folder, name):
    encoder = open_model(name, Weights(folder)).encoder
    body = photo(1)
    theirs = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    with Image.open(io.BytesIO(body)) as image:
        expected = theirs(images=image.convert("RGB"), return_tensors="pt")["pixel_values"][0]
    assert encoder.preprocess(body).shape == (3, PIXELS, PIXELS)
    assert torch.equal(encoder.preprocess(body), expected)


def test_cached_features_are_those_of_the_processor_and_of_no_other(folder, tmp_path):
    root, body = DataRoot(tmp_path), photo(2)
    path = root.image(sha256_of(body))
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    encoder = open_model("streetclip", Weights(folder)).encoder
    cached = image_features(root, encoder, [sha256_of(body)])
    assert torch.allclose(cached[0], encoder.encode_bodies([body])[0], atol=2e-3)
    # The same weights with a processor of another crop have another cache.
    other = open_model("streetclip", Weights(folder)).encoder
    other.processor.do_center_crop = False
    assert other.cache_key != encoder.cache_key


def test_a_photograph_on_its_side_is_seen_upright(folder):
    encoder = open_model("openai-clip", Weights(folder)).encoder
    assert not torch.equal(encoder.preprocess(photo(3)), encoder.preprocess(photo(3, orientation=6)))
    with pytest.raises(PictureError, match="give a whole JPEG"):
        encoder.preprocess(photo(3)[:400])


@pytest.fixture(scope="module")
def geoclip(folder, facts):
    """Loaded and clipped once."""
    model = thinned(open_model("geoclip", Weights(folder)))
    return model, clip_to_region(model, UK, facts)


@pytest.mark.parametrize("name", list(OPEN_MODELS))
def test_probabilities_sum_to_one_and_a_temperature_makes_them_less_sure(folder, facts, images, geoclip, name):
    clipped = geoclip[1] if name == "geoclip" else clip_to_region(open_model(name, Weights(folder)), UK, facts)
    given = (
        images
        if name != "geoclip"
        else torch.nn.functional.normalize(torch.randn(8, 512, generator=torch.Generator().manual_seed(2)), dim=1)
    )
    sure, unsure = clipped.posterior(given, 1.0), clipped.posterior(given, 50.0)
    assert sure.shape == (8, 30)
    assert np.allclose(sure.sum(axis=1), 1)
    assert np.allclose(unsure.sum(axis=1), 1)
    assert np.ptp(unsure, axis=0).max() < np.ptp(sure, axis=0).max()  # what is seen matters less


def test_streetclip_goes_by_unit_first(folder, facts, images):
    clipped = clip_to_region(open_model("streetclip", Weights(folder)), UK, facts)
    units = sorted(set(facts["admin1"]))
    assert clipped.candidates == len(units) + 30
    posterior = clipped.posterior(images, 1.0)
    before = torch.tensor([(facts["admin1"] == unit).sum() for unit in units]).log()
    first = (clipped.scale * images.double() @ clipped.units.double().T + before).softmax(dim=1).numpy()
    for number, unit in enumerate(units):
        assert np.allclose(posterior[:, (facts["admin1"] == unit).to_numpy()].sum(axis=1), first[:, number])
    assert np.allclose(clipped.posterior(images, 1e9), 1 / 30)  # unsure of everything, all classes are alike


def test_geoclip_points_only_at_coordinates_of_the_region(geoclip):
    model, clipped = geoclip
    whole = boundary_of(UK).contains(model.gallery.lat.numpy(), model.gallery.lon.numpy())
    assert clipped.candidates == whole.sum() < len(whole)
    lat, lon = clipped.positions(torch.randn(20, 512, generator=torch.Generator().manual_seed(0)), 1.0)
    assert boundary_of(UK).contains(lat, lon).all()


def test_an_unsure_gallery_answers_with_its_middle(geoclip):
    """At an endless temperature all coordinates weigh alike, and the answer is the medoid, whatever the picture."""
    _, clipped = geoclip
    lat, lon = clipped.positions(torch.randn(5, 512, generator=torch.Generator().manual_seed(1)), 1e9)
    km = haversine_km(clipped.lat[:, None], clipped.lon[:, None], clipped.lat[None], clipped.lon[None]).mean(axis=0)
    assert np.allclose(lat, clipped.lat[km.argmin()])
    assert np.allclose(lon, clipped.lon[km.argmin()])


def test_geoclips_own_parts_recognise_a_place(geoclip, facts):
    """Its location encoder is the real one: what is encoded at Edinburgh is found at Edinburgh again."""
    model, clipped = geoclip
    at = torch.tensor([[55.95, -3.19], [51.5, -0.12]])
    seen = torch.nn.functional.normalize(model.gallery.module(at), dim=1)
    lat, lon = clipped.positions(seen, 0.05)
    assert np.abs(lat - at[:, 0].numpy()).max() < 0.6
    assert np.abs(lon - at[:, 1].numpy()).max() < 0.6
    named = facts["name"].to_numpy()[clipped.posterior(seen, 0.05).argmax(axis=1)]
    assert list(named) == ["Edinburgh", "London"]


def test_absent_weights_are_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    began = time.monotonic()
    with pytest.raises(WeightsAbsentError, match=r"not in the hub's cache: put the files of geolocal/StreetCLIP"):
        open_model("streetclip")
    assert time.monotonic() - began < 5
    with pytest.raises(WeightsAbsentError, match="no weights of 'geoclip' in"):
        open_model("geoclip", Weights(tmp_path))


def test_other_models_folders_are_refused_in_a_line(folder, tmp_path):
    with pytest.raises(EncoderError, match="unknown open model 'clip': choose one of openai-clip, streetclip, geoclip"):
        open_model("clip", Weights(folder))
    narrow = tiny_clip(tmp_path / "narrow", projection=64)
    with pytest.raises(EncoderError, match="64 numbers, GeoCLIP needs CLIP ViT-L/14's 768"):
        open_model("geoclip", Weights(narrow))
    mixed = tiny_clip(tmp_path / "mixed", pixels=56)
    (mixed / "preprocessor_config.json").write_text((folder / "preprocessor_config.json").read_text())
    with pytest.raises(EncoderError, match="its processor makes 42 px, its model takes 56"):
        open_model("openai-clip", Weights(mixed))


def test_weights_that_are_missing_are_never_made_up(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    short = tiny_clip(tmp_path / "short")
    tensors = load_file(short / "model.safetensors")
    tensors.pop("visual_projection.weight")
    save_file(tensors, short / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks 1 weights, such as visual_projection\.weight"):
        open_model("openai-clip", Weights(short))
    (short / "model.safetensors").unlink()
    with pytest.raises(WeightsAbsentError, match="is no folder of a CLIP model"):
        open_model("openai-clip", Weights(short))
