"""`geolocate model score`: another program's file becomes a table and a report, and a bad one is a line."""

import pandas as pd
import pytest

from geolocate.dataset import open_dataset
from geolocate.storage import read_json
from tests.dataset.published import copy_of, published_root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    shared = published_root(tmp_path_factory.getbasetemp() / "published-cities")
    return copy_of(shared, tmp_path_factory.mktemp("scored") / "data")


@pytest.fixture
def score(root, command, tmp_path):
    """Score a table of predictions; gives the exit code, standard output and standard error."""

    def run(table, *options):
        table.to_parquet(tmp_path / "predictions.parquet")
        words = ["model", "score", "predictions.parquet", "--dataset", "cities", "--resamples", "20", *options]
        code, printed = command(words, {"GEOLOCATE_DATA": str(root.path)})
        return code, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def right(root):
    """Every test panorama where it stands, by its own class."""
    version = open_dataset(root, "cities")
    rows = pd.concat([version.rows("test"), version.sample_rows()]).drop_duplicates("panorama_id")
    return rows[["panorama_id", "lat", "lon", "class_id"]].astype({"class_id": str}).reset_index(drop=True)


def test_a_right_file_is_a_table_and_a_report(root, score, right):
    code, out, _ = score(right, "--name", "theirs")
    assert not code
    assert "best constant" in out
    assert (root.run("theirs") / "report.html").stat().st_size > 10_000
    metrics = read_json(root.run("theirs") / "metrics.json")
    assert (metrics["run"], metrics["unanswered"]) == ("theirs", 0)
    assert metrics["metrics"]["accuracy"]["model"]["value"] == 1
    assert metrics["metrics"]["mean_km"]["model"]["value"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda table: table.assign(class_id="atlantis"), "class_id 'atlantis' is none of the 3 trained classes of"),
        (lambda table: table.drop(columns="lat"), "predictions.parquet have no column lat: panorama_id, lat, lon are"),
        (lambda table: table.drop(columns=["panorama_id", "lon"]), "have no column panorama_id, lon"),
        (lambda table: table.assign(panorama_id=["nowhere", *table["panorama_id"][1:]]), "'nowhere' (the dataset does"),
        (lambda table: table.head(0), "predictions.parquet have no row"),
    ],
    ids=["unknown class", "missing column", "two missing columns", "no test panorama", "no row"],
)
def test_a_bad_file_is_one_line_and_an_exit_code(root, score, right, spoil, said):
    before = {path.name for path in (root.path / "runs").glob("*")}
    code, out, err = score(spoil(right), "--name", "bad")
    assert code == 1
    assert said in err
    assert err.count("\n") == 1
    assert not out
    assert {path.name for path in (root.path / "runs").glob("*")} == before


def test_a_panorama_that_was_trained_on_is_refused(root, score, right):
    learned = open_dataset(root, "cities").rows("train")["panorama_id"].iloc[0]
    code, _, err = score(right.assign(panorama_id=[learned, *right["panorama_id"][1:]]))
    assert code == 1
    assert f"{learned!r} (it is of the part 'train')" in err
