"""What is forgotten is gone from the store, from manifests and from readers, and is never asked for again."""

import pandas as pd
import pytest

from geolocate.collection import collect, forgetting, validate_collection
from geolocate.collection.collect import start_collection
from geolocate.collection.entries import Caps, ImageKey, Settlement
from geolocate.collection.finding import find_shard
from geolocate.collection.forgetting import forget
from geolocate.collection.ledger import Ledger
from geolocate.errors import CollectionError
from geolocate.manifest import read_manifest
from geolocate.manifest.tombstones import (
    Circle,
    Rules,
    read_tombstones,
    remember_forgetting,
    without_forgotten,
)
from geolocate.records import View
from geolocate.storage import read_json
from tests.collection.stand_in import plan_of


def test_a_forgotten_panorama_is_gone_everywhere(root, server, request_for):
    plan = plan_of(5, shards=2)
    collect(root, request_for(), plan)
    collect(root, request_for("other"), plan)
    before = pd.DataFrame(read_manifest(root.collection("c") / "manifest"))
    victim = before["source_id"][0]
    files = [root.image(sha256) for sha256 in before[before["source_id"] == victim]["sha256"]]
    gone = forget(root, [victim])
    assert (gone.images, gone.files, gone.collections) == (6, 3, ("c", "other"))
    assert not any(path.exists() for path in files)
    for name in ("c", "other"):
        assert victim not in set(read_manifest(root.collection(name) / "manifest")["source_id"])
        assert validate_collection(root, name).ok
    assert victim not in set(without_forgotten(root, before)["source_id"])
    assert len(without_forgotten(root, before)) == 12


def test_what_was_forgotten_is_never_asked_for_again(root, server, request_for):
    plan = plan_of(3)
    collect(root, request_for(), plan)
    victim = read_manifest(root.collection("c") / "manifest")["source_id"][0]
    forget(root, [victim])
    asked = len(server.images)
    for path in (root.collection("c") / "outcomes").iterdir():
        path.unlink()
    again = collect(root, request_for(), plan)
    assert again.statuses == {"complete": 2, "forgotten": 1}
    assert len(server.images) == asked
    # Another collection looks further, for a panorama that may be kept; nor are other views of this one asked for.
    wider = tuple(View(heading, width=48, height=48) for heading in (0.0, 90.0))
    assert collect(root, request_for("new", views=wider), plan).statuses == {"complete": 3}
    assert victim not in {image["pano"] for image in server.images[asked:]}


@pytest.mark.parametrize("found_before", [True, False], ids=["found before", "found later"])
def test_no_picture_of_forgotten_ground_is_asked_for(root, server, request_for, found_before):
    plan = plan_of(3)
    request = request_for()
    start_collection(root, "c", plan, request)
    if found_before:
        find_shard(root, request, 0)
    at = plan.iloc[0]
    rules = Rules(circles=(Circle(at["lat"], at["lon"], 0.5),))
    remember_forgetting(root, {"asked": {}, "rules": rules.to_json(), "reason": "", "since": "2026-01-01"})
    summary = collect(root, request, plan)
    expected = {"complete": 2, "forgotten": 1} if found_before else {"complete": 3}
    assert summary.statuses == expected
    rows = read_manifest(root.collection("c") / "manifest")
    assert not rules.cover(rows).any()
    assert len(server.images) == len(rows)
    assert validate_collection(root, "c").ok


def test_one_image_can_be_forgotten(root, request_for):
    collect(root, request_for(), plan_of(2))
    rows = read_manifest(root.collection("c") / "manifest")
    forget(root, [rows["image_id"][0]])
    forget(root, [rows["image_id"][0]])
    left = read_manifest(root.collection("c") / "manifest")
    assert len(left) == 5
    assert read_tombstones(root) == {rows["image_id"][0]}
    assert validate_collection(root, "c").ok


@pytest.mark.parametrize("step", ["_remove", "_mark", "write_manifest", "finish_collection"])
def test_forgetting_that_was_interrupted_can_be_done_again(root, request_for, monkeypatch, step):
    collect(root, request_for(), plan_of(2))
    rows = read_manifest(root.collection("c") / "manifest")
    victim = rows["source_id"][0]
    files = [root.image(sha256) for sha256 in rows[rows["source_id"] == victim]["sha256"]]

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(forgetting, step, killed)
        with pytest.raises(KeyboardInterrupt):
            forget(root, [victim])
    forget(root, [victim])
    assert not any(path.exists() for path in files)
    assert len(read_manifest(root.collection("c") / "manifest")) == 3
    assert validate_collection(root, "c").ok
    assert read_json(root.collection("c") / "summary.json")["statuses"] == {"complete": 1, "forgotten": 1}


def test_a_picture_that_is_forgotten_while_it_is_on_its_way_stays_forgotten(tmp_path):
    key = ImageKey("emulated", "google", "pano", View(0.0))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with ledger.transaction():
            charge = ledger.reserve("c", key, 7000, Caps())
        with ledger.transaction():
            ledger.forget(["pano"])
        with ledger.transaction():
            assert ledger.settle(charge, Settlement("kept", sha256="a" * 64, bytes=1)).state == "forgotten"


def test_an_unknown_name_changes_nothing(root, request_for):
    collect(root, request_for(), plan_of(1))
    with pytest.raises(CollectionError, match="nothing is known under nonsense"):
        forget(root, ["nonsense"])
    assert not read_tombstones(root)
