import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from geolocate.dataset import pack as module
from geolocate.dataset.pack import Transform, erase_packed, pack_pictures, packs_folder
from geolocate.errors import PictureError, StorageError
from geolocate.storage import DataRoot, sha256_of

REVERSED = Transform("reversed", lambda body: body[::-1])


def fill(root, count):
    """A root with ``count`` pictures (any bytes will do for a transform of the test's own), and their hashes."""
    hashes = []
    for number in range(count):
        body = np.random.default_rng(number).bytes(20 + number % 7)
        hashes.append(sha256_of(body))
        root.image(hashes[-1]).parent.mkdir(parents=True, exist_ok=True)
        root.image(hashes[-1]).write_bytes(body)
    return hashes


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 8)
    root = DataRoot(tmp_path)
    return root, fill(root, 30)


def bodies(pack):
    return [bytes(jpeg.numpy()) for jpeg in pack.jpegs(range(len(pack)))]


def test_pictures_come_back_transformed_in_the_order_asked_for(store):
    root, hashes = store
    asked = [*hashes[::-1], hashes[3]]
    assert bodies(pack_pictures(root, REVERSED, asked)) == [root.image(name).read_bytes()[::-1] for name in asked]


def test_only_what_is_not_packed_is_packed(store):
    root, hashes = store
    told = []
    pack_pictures(root, REVERSED, hashes[:11])
    before = bodies(pack_pictures(root, REVERSED, hashes, lambda done, total: told.append((done, total))))
    assert told[-1] == (19, 19)
    told.clear()
    for name in hashes:
        root.image(name).unlink()
    assert bodies(pack_pictures(root, REVERSED, hashes, lambda *now: told.append(now))) == before
    assert told == []


def test_another_transform_is_another_pack(store):
    root, hashes = store
    pack_pictures(root, REVERSED, hashes)
    other = Transform("doubled", lambda body: body * 2)
    assert bodies(pack_pictures(root, other, hashes[:2])) == [root.image(name).read_bytes() * 2 for name in hashes[:2]]


def test_what_is_erased_is_in_no_file_any_more(store):
    root, hashes = store
    pack_pictures(root, REVERSED, hashes)
    gone = [hashes[0], hashes[13]]
    removed = [root.image(name).read_bytes()[::-1] for name in gone]
    assert erase_packed(root, gone) == 2
    assert erase_packed(root, gone) == 0
    files = b"".join(path.read_bytes() for path in packs_folder(root, "reversed").iterdir())
    assert not any(body in files or bytes.fromhex(name) in files for name, body in zip(gone, removed, strict=True))
    for name in gone:
        root.image(name).unlink()
    kept = [name for name in hashes if name not in gone]
    assert bodies(pack_pictures(root, REVERSED, kept)) == [root.image(name).read_bytes()[::-1] for name in kept]
    with pytest.raises(StorageError, match=gone[0]):
        pack_pictures(root, REVERSED, hashes)


def test_a_picture_that_cannot_be_read_is_named_and_what_was_packed_stays(store):
    root, hashes = store

    def refuses(body):
        if sha256_of(body) == hashes[20]:
            raise PictureError("no picture")
        return body

    with pytest.raises(PictureError, match=hashes[20]):
        pack_pictures(root, Transform("plain", refuses), hashes)
    told = []
    pack_pictures(root, Transform("plain", bytes), hashes, lambda *now: told.append(now))
    assert told[-1] == (14, 14)


def test_a_damaged_file_is_packed_again(store):
    root, hashes = store
    whole = bodies(pack_pictures(root, REVERSED, hashes))
    victim = sorted(packs_folder(root, "reversed").iterdir())[1]
    victim.write_bytes(victim.read_bytes()[:-5])
    assert bodies(pack_pictures(root, REVERSED, hashes)) == whole


PACKING = """
import sys, time
from pathlib import Path
from geolocate.dataset import pack
from geolocate.storage import DataRoot
pack.SHARD = 8
def slow(body):
    time.sleep(0.02)
    return body[::-1]
pack.pack_pictures(DataRoot(Path(sys.argv[1])), pack.Transform("reversed", slow), sys.argv[2:])
"""


def test_a_killed_packing_goes_on_where_it_was(store):
    root, hashes = store
    process = subprocess.Popen([sys.executable, "-c", PACKING, str(root.path), *hashes])
    folder = packs_folder(root, "reversed")
    limit = time.monotonic() + 60
    while not list(folder.glob("*.safetensors")) and time.monotonic() < limit:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    told = []
    pack = pack_pictures(root, REVERSED, hashes, lambda *now: told.append(now))
    assert 0 < told[-1][1] < 30
    assert bodies(pack) == [root.image(name).read_bytes()[::-1] for name in hashes]
