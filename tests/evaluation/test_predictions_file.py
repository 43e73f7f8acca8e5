"""Another program's predictions are scored as our own, beside chance; bad files are refused in a line."""

import shutil

import numpy as np
import pandas as pd
import pytest

from geolocate.dataset import open_dataset
from geolocate.errors import CheckpointError, DatasetError
from geolocate.evaluation.predictions_file import score_file
from geolocate.reporting import results_markdown, write_report
from tests.evaluation.trained import RUNS


@pytest.fixture(scope="module")
def ours(root, evaluated):
    """What the first run answered about both test sets."""
    folder = root.run(RUNS[0])
    tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("predictions", "sample_predictions")]
    return pd.concat(tables).drop_duplicates("panorama_id")


@pytest.fixture(autouse=True, scope="module")
def _others_find_the_root_as_it_was(root):
    before = {path.name for path in (root.path / "runs").iterdir()}
    yield
    for path in (root.path / "runs").iterdir():
        if path.name not in before | set(RUNS):
            shutil.rmtree(path)


@pytest.fixture
def written(tmp_path):
    def write(table, name="theirs.parquet"):
        path = tmp_path / name
        table.to_csv(path, index=False) if name.endswith(".csv") else table.to_parquet(path)
        return path

    return write


def theirs(ours, **changed):
    columns = {"panorama_id": ours["panorama_id"], "lat": ours["predicted_lat"], "lon": ours["predicted_lon"]}
    return pd.DataFrame({**columns, **changed}).reset_index(drop=True)


def test_our_own_answers_as_a_file_get_the_same_figures(root, evaluated, ours, written):
    table = theirs(ours, class_id=ours["predicted_class_id"], probabilities=ours["posterior"])
    scored = score_file(root, written(table), "cities")
    for metric, systems in evaluated[0]["metrics"].items():
        # The probabilities were kept with seven digits, which may turn the order of the least probable classes.
        assert scored["metrics"][metric]["model"] == pytest.approx(systems["model"], abs=1e-6)
        assert scored["metrics"][metric]["best_constant"] == systems["best_constant"]
    assert scored["levels"] == evaluated[0]["levels"]
    assert (scored["kind"], scored["unanswered"], scored["seed"]) == ("predictions file", 0, None)


def test_positions_alone_as_csv_have_an_accuracy_by_the_nearest_class_and_a_report(root, evaluated, ours, written):
    scored = score_file(root, written(theirs(ours), "positions.csv"), "cities")
    assert scored["metrics"]["mean_km"]["model"] == pytest.approx(evaluated[0]["metrics"]["mean_km"]["model"])
    assert scored["metrics"]["accuracy"]["model"]["value"] > scored["metrics"]["accuracy"]["prior"]["value"]
    page = write_report(root, "positions").read_text()
    assert "Emulated world." in page
    assert "names no classes" in page
    assert "names no classes" in results_markdown(scored)


def test_what_is_left_out_is_counted_and_does_not_help(root, ours, written):
    hardest_out = ours.sort_values("km").head(len(ours) // 2)
    scored = score_file(root, written(theirs(hardest_out)), "cities", name="half")
    whole = score_file(root, written(theirs(ours)), "cities", name="whole")
    assert scored["unanswered"] == len(ours) - len(hardest_out)
    assert scored["metrics"]["mean_km"]["model"]["value"] > whole["metrics"]["mean_km"]["model"]["value"]
    assert scored["counts"]["test_panoramas"] == whole["counts"]["test_panoramas"]


def test_every_scoring_is_a_reading_of_the_test_ground(root, ours, written):
    before = score_file(root, written(theirs(ours)), "cities", name="counted")["test_reads"]
    after = score_file(root, written(theirs(ours)), "cities", name="counted")["test_reads"]
    assert after == {name: count + 1 for name, count in before.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop(columns="lon"), "no column lon"),
        (lambda table: table.assign(lat=[np.nan, *table["lat"].iloc[1:]]), r"has lat nan, which is no number \(1 such"),
        (lambda table: table.assign(lat=91.0), "has lat 91.0: a number from -90 to 90"),
        (lambda table: table.assign(panorama_id=["nowhere", *table["panorama_id"].iloc[1:]]), "does not have it"),
        (lambda table: table.assign(world="real"), "of the real world, the dataset's is emulated"),
        (lambda table: table.assign(class_id="atlantis"), "class_id 'atlantis' is none of the 6 trained classes"),
        (lambda table: pd.concat([table, table.head(1)]), "is answered twice"),
        (lambda table: table.head(0), "have no row"),
        (lambda table: table.assign(probabilities=[[0.5, 0.2]] * len(table)), "are 2 numbers that sum to 0.7"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(root, ours, written, change, said):
    with pytest.raises(DatasetError, match=said) as refusal:
        score_file(root, written(change(theirs(ours))), "cities")
    assert "\n" not in str(refusal.value)


def test_training_panoramas_and_the_name_of_a_run_are_refused(root, ours, written):
    train = open_dataset(root, "cities").rows("train")["panorama_id"].iloc[0]
    table = theirs(ours)
    leaked = table.assign(panorama_id=[train, *table["panorama_id"].iloc[1:]])
    with pytest.raises(DatasetError, match="it is of the part 'train'"):
        score_file(root, written(leaked), "cities")
    with pytest.raises(CheckpointError, match="is a trained run"):
        score_file(root, written(table), "cities", name=RUNS[0])
    with pytest.raises(DatasetError, match=r"a .parquet or .csv file"):
        score_file(root, root.path / "predictions.json", "cities")
