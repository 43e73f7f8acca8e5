import numpy as np
import pytest
import torch

from geolocate.errors import PictureError, StorageError
from geolocate.models import features as module
from geolocate.models.encoders import image_encoder
from geolocate.models.features import image_features
from geolocate.storage import DataRoot, sha256_of
from tests.training.small_dataset import picture


@pytest.fixture(scope="module")
def encoder():
    return image_encoder("efficientnet-lite0", pixels=32)


@pytest.fixture
def store(tmp_path):
    """A root with 70 pictures, and their hashes."""
    root, rng, hashes = DataRoot(tmp_path), np.random.default_rng(0), []
    for _ in range(70):
        body = picture(rng, rng.uniform(0, 255, 3))
        hashes.append(sha256_of(body))
        root.image(hashes[-1]).parent.mkdir(parents=True, exist_ok=True)
        root.image(hashes[-1]).write_bytes(body)
    return root, hashes


def test_a_picture_is_encoded_once(store, encoder):
    root, hashes = store
    told: list[tuple[int, int]] = []
    first = image_features(root, encoder, hashes, lambda done, total: told.append((done, total)))
    assert told[-1] == (70, 70)
    told.clear()
    again = image_features(root, encoder, hashes[::-1], lambda done, total: told.append((done, total)))
    assert not told
    assert torch.equal(first.flip(0), again)
    bodies = [root.image(sha256).read_bytes() for sha256 in hashes]
    torch.testing.assert_close(first, encoder.encode_bodies(bodies), atol=2e-3, rtol=2e-3)


def test_a_feature_does_not_depend_on_what_was_cached_before(store, encoder, tmp_path):
    root, hashes = store
    image_features(root, encoder, hashes[5:20])
    in_parts = image_features(root, encoder, hashes)
    for path in root.features(encoder.cache_key).iterdir():
        path.unlink()
    assert torch.equal(in_parts, image_features(root, encoder, hashes))


def test_only_the_missing_are_computed_and_a_repeated_hash_counts_once(store, encoder):
    root, hashes = store
    image_features(root, encoder, hashes[:10])
    totals = set()
    twice = image_features(root, encoder, hashes[:12] * 2, lambda done, total: totals.add(total))
    assert totals == {2}
    assert twice.shape == (24, encoder.dim)


def test_an_interrupted_run_keeps_its_shards(store, encoder, monkeypatch):
    root, hashes = store
    monkeypatch.setattr(module, "SHARD", 32)

    def stop(done: int, total: int) -> None:
        if done > 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image_features(root, encoder, hashes, stop)
    totals = set()
    image_features(root, encoder, hashes, lambda done, total: totals.add(total))
    assert totals == {70 - 64}


def test_a_damaged_shard_is_computed_again(store, encoder):
    root, hashes = store
    first = image_features(root, encoder, hashes[:3])
    [shard] = root.features(encoder.cache_key).iterdir()
    shard.write_bytes(shard.read_bytes()[:100])
    assert torch.equal(image_features(root, encoder, hashes[:3]), first)


def test_other_weights_and_other_sizes_have_caches_of_their_own(encoder):
    keys = {
        encoder.cache_key,
        image_encoder("efficientnet-lite0", pixels=64).cache_key,
        image_encoder("efficientnet-lite0=random", pixels=32).cache_key,
    }
    assert len(keys) == 3


def test_a_missing_and_a_broken_picture_are_one_clear_line(store, encoder):
    root, hashes = store
    root.image(hashes[3]).unlink()
    with pytest.raises(StorageError, match=f"no picture .*{hashes[3]}"):
        image_features(root, encoder, hashes[:5])
    root.image(hashes[3]).write_bytes(b"\xff\xd8 not really")
    with pytest.raises(PictureError, match=f"{hashes[3]}.*delete the file"):
        image_features(root, encoder, hashes[:5])


def test_no_pictures_give_no_rows(tmp_path, encoder):
    assert image_features(DataRoot(tmp_path), encoder, []).shape == (0, encoder.dim)
