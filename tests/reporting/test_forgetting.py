"""What is forgotten is gone from store, caches, predictions and pages, and who had held it is written down."""

import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from geolocate.cli import build
from geolocate.dataset import open_dataset
from geolocate.dataset.forgetting import Wanted, choose_victims
from geolocate.dataset.pack import Transform, pack_pictures, packs_folder
from geolocate.evaluation import Bootstrap, evaluate
from geolocate.evaluation import forgetting as gallery_forgetting
from geolocate.evaluation.fit_answering import fit_answering
from geolocate.manifest import read_manifest
from geolocate.manifest.tombstones import Circle, Rules, forgettings
from geolocate.models import features
from geolocate.reporting import forgetting, write_report
from geolocate.reporting.forgetting import forget_everywhere
from geolocate.reporting.promotion import promote
from geolocate.serving.predictor import load_predictor
from geolocate.storage import DataRoot, read_json
from tests.evaluation.trained import CITIES, CREATOR, RUNS, trained_root


def fresh_copy(tmp_path_factory, folder):
    """A copy of a root with two finished runs, less what other tests have added to it."""
    shared = trained_root(tmp_path_factory.getbasetemp() / "trained")
    others = [path.name for path in (shared.path / "runs").iterdir() if path.name not in RUNS]
    answers = ("metrics.json", "answering.json", "predictions.parquet", "sample_predictions.parquet")
    left = shutil.ignore_patterns("features", "packs", "models", "test_reads.jsonl", *answers, *others)
    shutil.copytree(shared.path, folder, ignore=left)
    return DataRoot(folder)


@pytest.fixture
def root(tmp_path, tmp_path_factory):
    return fresh_copy(tmp_path_factory, tmp_path / "data")


@pytest.fixture(scope="module")
def in_use(tmp_path_factory):
    """A root whose first run was evaluated, has a report, and was promoted."""
    root = fresh_copy(tmp_path_factory, tmp_path_factory.mktemp("in-use") / "data")
    evaluate(root, RUNS[0], bootstrap=Bootstrap(50, 0))
    write_report(root, RUNS[0])
    promote(root, RUNS[:1])
    return root


@pytest.fixture
def used(in_use, tmp_path):
    shutil.copytree(in_use.path, tmp_path / "data")
    return DataRoot(tmp_path / "data")


def cached(root):
    folder = root.path / "store" / "features"
    return {name for path in folder.glob("*/*.safetensors") for name in features._read_shard(path)}


def measured(root):
    return {name for path in root.measures.rglob("*.parquet") for name in pd.read_parquet(path).index}


def test_a_tested_panorama_is_gone_everywhere(used):
    root = used
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
    assert evaluate(root, RUNS[0], bootstrap=Bootstrap(50, 0))["counts"]["test_images"] == len(test) - 3


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


def naming(root, *words):
    """The files under a root in which one of the words stands, tables read cell by cell."""
    found = set()
    for path in (path for path in root.path.rglob("*") if path.is_file()):
        text = str(pq.read_table(path).to_pylist()).encode() if path.suffix == ".parquet" else path.read_bytes()
        if any(word.encode() in text for word in words):
            found.add(str(path.relative_to(root.path)))
    return found


def test_a_promoted_model_shows_nothing_of_what_it_had_learned_from(used, monkeypatch):
    root, use = used, read_json(used.model("cities") / "promoted.json")
    model = root.model("cities", use["version"])
    version = open_dataset(root, "cities")
    walked = version.frame[version.frame["creator"] == CREATOR]
    words = [CREATOR, *walked["source_id"].unique(), *walked["sha256"]]
    kept = {
        f"datasets/cities/{version.ref.version}/manifest.parquet",
        "store/forgotten.json",
        "store/tombstones.parquet",
    }
    assert CREATOR in (model / "MODEL_CARD.md").read_text()
    assert f"runs/{RUNS[0]}/gallery.parquet" in naming(root, *words)
    before = {name: (model / name).read_bytes() for name in ("report.html", "map.png")}

    monkeypatch.setenv("GEOLOCATE_DATA", str(root.path))
    said = CliRunner().invoke(build(), ["data", "forget", "--creator", CREATOR, "--yes"])
    assert said.exit_code == 0, said.output
    learned = walked["part"].isin(["train", "val"]).sum()
    assert f"model cities@{use['version']}, run {RUNS[0]}, in use: had learned from {learned} of these" in said.output
    assert naming(root, *words) <= kept
    card = (model / "MODEL_CARD.md").read_text()
    assert "Learned from pictures that were forgotten since" in card
    assert f"{learned} of the" in card
    assert "made for a test" in card
    assert open_dataset(root, "cities").card["rights"]["attributions"]["forgotten since"] == len(walked)
    for name, body in before.items():
        assert (model / name).read_bytes() == (root.run(RUNS[0]) / name).read_bytes() != body
    predictor = load_predictor(root, RUNS[0])
    assert not set(predictor.answering.gallery.panoramas["panorama_id"]) & set(walked["panorama_id"])
    assert predictor.answering.gallery.features.shape[0] == len(predictor.answering.gallery) > 0


def test_a_card_of_a_dataset_that_is_gone_loses_its_credits(root):
    promoted = promote(root, RUNS[:1])
    card = root.model("cities", promoted.version) / "MODEL_CARD.md"
    assert CREATOR in card.read_text()
    shutil.rmtree(root.dataset("cities"))
    shutil.rmtree(root.path / "runs")
    wanted = Wanted(rules=Rules(creators=(CREATOR,)))
    for _ in range(2):
        forget_everywhere(root, wanted, choose_victims(root, wanted))
        text = card.read_text()
        assert CREATOR not in text
        assert text.count("no longer stands here") == 1
    assert "## Known biases" in text


def test_a_gallery_left_half_forgotten_is_whole_after_the_next_time_and_an_empty_one_answers_no_more(root, monkeypatch):
    fit_answering(root, RUNS[0])
    wanted = Wanted(rules=Rules(creators=(CREATOR,)))
    write = gallery_forgetting._write

    def killed(path, body):
        if path.suffix == ".parquet":
            raise KeyboardInterrupt
        write(path, body)

    with monkeypatch.context() as patch:
        patch.setattr(gallery_forgetting, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            forget_everywhere(root, wanted, choose_victims(root, wanted))
    erased, _ = forget_everywhere(root, wanted, choose_victims(root, wanted))
    assert erased.galleries[RUNS[0]] > 0
    gallery = load_predictor(root, RUNS[0]).answering.gallery
    assert CREATOR not in set(gallery.panoramas["creator"])
    assert len(gallery.features) == len(gallery)
    wanted = Wanted(rules=Rules(circles=tuple(Circle(*position, 100.0) for position in CITIES.values())))
    forget_everywhere(root, wanted, choose_victims(root, wanted))
    assert load_predictor(root, RUNS[0]).answering is None
