import io

import numpy as np
import pytest
import torch
from PIL import Image

from geolocate.errors import PictureError
from geolocate.models.image_encoders import image_encoder
from geolocate.models.pictures import picture_pixels
from geolocate.storage import DataRoot, sha256_of
from geolocate.training.loader import Augment, Draws, Loader, packing, shrunk
from geolocate.training.sources import LivePictures
from tests.training.small_dataset import picture

SIDE = 64


@pytest.fixture(scope="module")
def encoder():
    return image_encoder("efficientnet-lite0=random", pixels=SIDE)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A root with 23 pictures of 160 pixels, and their hashes."""
    root, rng, hashes = DataRoot(tmp_path_factory.mktemp("pictures")), np.random.default_rng(0), []
    for _ in range(23):
        body = picture(rng, rng.uniform(60, 200, 3), side=160)
        hashes.append(sha256_of(body))
        root.image(hashes[-1]).parent.mkdir(parents=True, exist_ok=True)
        root.image(hashes[-1]).write_bytes(body)
    return root, hashes


@pytest.fixture
def loader(store, encoder):
    loader = Loader.of(store[0], encoder, store[1])
    yield loader
    loader.close()


def encoded(pixels, form, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def decoded(body):
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)


@pytest.mark.parametrize(("height", "width"), [(160, 160), (120, 200), (301, 90), (40, 52), (64, 64)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_packed_picture_is_cut_and_sized_as_any_other(height, width, form):
    """Large smooth shapes, so that what JPEG takes away is small beside a shift of one pixel."""
    coarse = np.random.default_rng(1).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    body = encoded(np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)), form)
    packed = decoded(shrunk(body, SIDE))
    assert packed.shape == (SIDE, SIDE, 3)
    assert np.abs(packed - picture_pixels(body, SIDE).astype(int)).mean() < 3


def test_a_picture_that_lies_on_its_side_is_packed_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[:40] = 255
    upright = decoded(shrunk(encoded(pixels, "JPEG", exif=exif), SIDE))
    assert upright[:, -8:].mean() > 245
    assert upright[:, :8].mean() < 10


@pytest.mark.parametrize("body", [b"", b"<html>", encoded(np.full((90, 90, 3), 7, np.uint8), "JPEG")[:200]])
def test_what_is_no_whole_picture_is_refused(body):
    with pytest.raises(PictureError, match="give a whole JPEG"):
        shrunk(body, SIDE)


def test_batches_hold_what_the_encoder_would_see(loader, store, encoder):
    root, hashes = store
    batch = loader.batch([4, 0, 4])
    assert batch.shape == (3, 3, SIDE, SIDE)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch[0], batch[2])
    wanted = torch.stack([encoder.preprocess(root.image(hashes[number]).read_bytes()) for number in (4, 0, 4)])
    # The pictures are noise, of which a JPEG keeps the light and loses some of the colour.
    assert (batch - wanted).mean(1).abs().mean() < 0.06
    assert (batch - wanted).mean((2, 3)).abs().max() < 0.02


@pytest.mark.parametrize("augment", [Augment(), Augment(crop=0.7, light=0.2)])
def test_a_picture_does_not_depend_on_batches_and_threads(loader, store, encoder, augment):
    hashes = store[1]
    draws = Draws(seed=3, epoch=2, augment=augment)
    order = np.random.default_rng(0).permutation(len(hashes))
    whole = torch.cat(list(loader.batches([order[start : start + 7] for start in range(0, 23, 7)], draws)))
    single = Loader(loader._pack, encoder, workers=1)
    assert torch.equal(whole, single.batch(order, draws))
    single.close()


def test_epochs_and_seeds_vary_a_picture_and_no_augmentation_leaves_it(loader):
    vary = Augment(crop=0.7, light=0.2)
    first, *others = (loader.batch([5], Draws(*when, vary)) for when in [(0, 0), (0, 1), (1, 0)])
    assert all((first - other).abs().mean() > 0.01 for other in others)
    assert torch.equal(loader.batch([5], Draws(0, 0)), loader.batch([5], Draws(0, 1)))


def test_a_crop_keeps_what_lies_left_on_the_left(loader):
    """Mirroring would hide on which side people drive."""
    ramp = torch.linspace(0, 255, SIDE).to(torch.uint8).expand(3, SIDE, SIDE)
    for seed in range(20):
        row = Augment(crop=0.5, light=0.3).apply(ramp, np.random.default_rng(seed))[0, 0].int()
        assert row.shape == (SIDE,)
        assert row[-1] - row[0] > 60


def test_the_key_of_a_pack_names_its_side():
    assert packing(224).key != packing(128).key


def test_an_epoch_that_is_broken_off_leaves_the_loader_usable(loader):
    for _ in loader.batches([[number] for number in range(23)]):
        break
    assert loader.batch([1]).shape[0] == 1


def test_pictures_that_were_not_expected_are_given_all_the_same(loader, encoder):
    pictures = LivePictures(encoder, loader).eval()
    with torch.no_grad():
        plain = pictures(torch.arange(4))
        pictures.expect([[7, 8], [0, 1, 2, 3], [5]])
        assert torch.equal(pictures(torch.arange(4)), plain)
        for numbers in ([7, 8], [0, 1, 2, 3], [5]):
            assert torch.equal(pictures(torch.tensor(numbers)), LivePictures(encoder, loader)(torch.tensor(numbers)))
