"""What is forgotten is gone from store, caches, predictions and pages, and who had held it is written down."""

import shutil

import pandas as pd
import pytest

from geolocate.dataset import open_dataset
from geolocate.dataset.forgetting import Wanted, choose_victims
from geolocate.dataset.pack import Transform, pack_pictures, packs_folder
from geolocate.evaluation import evaluate
from geolocate.manifest import read_manifest
from geolocate.manifest.tombstones import Circle, Rules, forgettings
from geolocate.models import features
from geolocate.reporting import forgetting, write_report
from geolocate.reporting.forgetting import forget_everywhere
from geolocate.storage import DataRoot
from tests.evaluation.trained import CITIES, RUNS, trained_root


@pytest.fixture
def root(tmp_path, tmp_path_factory):
    """A copy of a root with two finished runs, less what other tests have added to it."""
    shared = trained_root(tmp_path_factory.getbasetemp() / "trained")
    others = [path.name for path in (shared.path / "runs").iterdir() if path.name not in RUNS]
    answers = ("metrics.json", "answering.json", "predictions.parquet", "sample_predictions.parquet")
    left = shutil.ignore_patterns("features", "packs", "test_reads.jsonl", *answers, *others)
    shutil.copytree(shared.path, tmp_path / "data", ignore=left)
    return DataRoot(tmp_path / "data")


def cached(root):
    folder = root.path / "store" / "features"
    return {name for path in folder.glob("*/*.safetensors") for name in features._read_shard(path)}


def measured(root):
    return {name for path in root.measures.rglob("*.parquet") for name in pd.read_parquet(path).index}


def test_a_tested_panorama_is_gone_everywhere(root):
    evaluate(root, RUNS[0])
    write_report(root, RUNS[0])
    test = open_dataset(root, "cities").rows("test")
    victim = test["source_id"].iloc[0]
    hashes = set(test.loc[test["source_id"] == victim, "sha256"])
    page = (root.run(RUNS[0]) / "report.html").read_text()
    pack_pictures(root, Transform("plain", bytes), sorted(hashes))
    assert hashes <= cached(root) & measured(root)
    wanted = Wanted(panoramas=(victim,))
    erased, holders = forget_everywhere(root, wanted, choose_victims(root, wanted), "asked by the owner")
    assert (erased.panoramas, erased.images, erased.files, erased.features, erased.packed) == (1, 3, 3, 3, 3)
    assert erased.collections == {"cities": 3}
    assert not any(root.image(sha256).exists() for sha256 in hashes)
    assert hashes.isdisjoint(cached(root) | measured(root))
    assert not list(packs_folder(root, "plain").iterdir())
    assert victim not in set(open_dataset(root, "cities").frame["source_id"])
    assert victim not in set(read_manifest(root.collection("cities") / "manifest")["source_id"])
    predictions = pd.read_parquet(root.run(RUNS[0]) / "predictions.parquet")
    assert victim not in set(predictions["source_id"])
    assert erased.reports == {RUNS[0]: "made again without it; its figures are those of before"}
    assert (root.run(RUNS[0]) / "report.html").read_text() != page
    assert {(run.run, run.learned, run.tested) for run in holders.runs} == {(run, 0, 3) for run in RUNS}
    [entry] = forgettings(root)
    assert (entry["reason"], entry["found"]["images"]) == ("asked by the owner", 3)
    assert {run["run"] for run in entry["found"]["runs"]} == set(RUNS)
    assert evaluate(root, RUNS[0])["counts"]["test_images"] == len(test) - 3


@pytest.mark.parametrize("step", ["erase_features", "erase_pictures", "drop_from_collections"])
def test_forgetting_ground_that_was_interrupted_can_be_done_again(root, monkeypatch, step):
    wanted = Wanted(rules=Rules(circles=(Circle(*CITIES["Leeds"], 100.0),)))
    hashes = choose_victims(root, wanted).sha256s

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(forgetting, step, killed)
        with pytest.raises(KeyboardInterrupt):
            forget_everywhere(root, wanted, choose_victims(root, wanted))
    assert "Leeds" not in set(open_dataset(root, "cities").frame["class_name"])
    forget_everywhere(root, wanted, choose_victims(root, wanted))
    assert not any(root.image(sha256).exists() for sha256 in hashes)
    assert hashes.isdisjoint(cached(root))
    assert hashes.isdisjoint(read_manifest(root.collection("cities") / "manifest")["sha256"])
    assert [entry["found"]["images"] for entry in forgettings(root)] == [len(hashes)]
