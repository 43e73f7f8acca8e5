"""Dataset versions and forgetting from the command line: what is printed, and mistakes in one line."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from geolocate.cli import main
from geolocate.dataset import open_dataset
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot
from tests.dataset.published import CITIES, copy_of, published_root
from tests.manifest.rows import manifest_rows


@pytest.fixture
def root(tmp_path, tmp_path_factory, monkeypatch):
    shared = published_root(tmp_path_factory.getbasetemp() / "published-cities")
    own = copy_of(shared, tmp_path / "data")
    monkeypatch.setenv("GEOLOCATE_DATA", str(own.path))
    monkeypatch.chdir(tmp_path)
    return own


@pytest.fixture
def geolocate(root, capsys, monkeypatch):
    """Run the command line in this process; gives exit code, standard output and standard error."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["geolocate", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return end.value.code or 0, told.out, told.err

    return run


def test_diff_export_and_lineage_print_tables_and_json(root, geolocate, tmp_path):
    code, out, _ = geolocate("set", "diff", "cities", "cities")
    assert code == 0
    assert "same 225" in out
    assert json.loads(geolocate("set", "diff", "cities", "cities", "--json")[1])["images"]["same"] == 225
    code, out, _ = geolocate(
        "set", "export", "cities", "--format", "csv", "--out", tmp_path / "o", "--pictures", "none"
    )
    assert (code, out.split(":")[0]) == (0, str(open_dataset(root, "cities").ref))
    code, out, _ = geolocate("lineage", "cities")
    assert code == 0
    assert "everything agrees" in out
    assert json.loads(geolocate("lineage", "cities", "--json")[1])["state"] == "agrees"


def test_forgetting_asks_first_and_says_who_holds_it(root, geolocate, monkeypatch):
    lat, lon = CITIES["Leeds"]
    near = ("data", "forget", "--near", f"{lat},{lon},100")
    held = f"dataset {open_dataset(root, 'cities').ref}: 75 images"
    code, out, _ = geolocate(*near, "--dry-run")
    assert code == 0
    assert "75 images, 25 panoramas" in out
    assert held in out
    assert "nothing was forgotten" in out
    monkeypatch.setattr("typer.confirm", lambda _: False)
    assert "nothing was forgotten" in geolocate(*near)[1]
    assert len(open_dataset(root, "cities").frame) == 225
    code, out, _ = geolocate(*near, "--yes", "--json", "--reason", "asked")
    assert json.loads(out)["collections"] == {"cities": 75}
    assert len(open_dataset(root, "cities").frame) == 150


def test_ids_can_be_given_as_they_stand_in_a_manifest(root, geolocate):
    image = open_dataset(root, "cities").frame["image_id"].iloc[0]
    code, out, _ = geolocate("data", "forget", image, "--yes")
    assert code == 0
    assert "forgotten: 1 files" in out


def test_an_area_file_holds_for_the_future(root, geolocate, tmp_path):
    ring = [[-3, 51], [-2, 51], [-2, 52], [-3, 52], [-3, 51]]
    area = {"type": "Polygon", "coordinates": [ring]}
    (tmp_path / "bristol.geojson").write_text(json.dumps(area))
    assert geolocate("data", "forget", "--area", tmp_path / "bristol.geojson", "--yes")[0] == 0
    later = manifest_rows(9, lat=51.455, lon=-2.588, spread=0.01, seed=77)
    write_manifest(later, root.collection("later") / "manifest" / "00000.parquet")
    code, _, err = geolocate("set", "publish", "later", "--name", "later")
    assert code == 1
    assert "everything in later was forgotten" in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["data", "forget", "--yes"], "nothing is named"),
        (["data", "forget", "--near", "51,0", "--yes"], "--near '51,0': write LAT,LON,KM"),
        (["data", "forget", "--near", "91,0,1", "--yes"], "a latitude"),
        (["data", "forget", "--area", "absent.geojson", "--yes"], "no file absent.geojson"),
        (["data", "forget", "x", "--json"], "--yes"),
        (["data", "forget", "--place", "0", "--yes"], "no picture is of 0"),
        (["set", "export", "cities", "--format", "zip", "--out", "o"], "unknown format 'zip'"),
        (["set", "export", "absent", "--format", "csv", "--out", "o"], "no dataset 'absent'"),
        (["set", "diff", "cities", "cities@0"], "no version '0'"),
        (["lineage", "absent"], "no dataset 'absent'"),
    ],
)
def test_a_mistake_is_one_line(geolocate, words, expected):
    code, _, err = geolocate(*words)
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert expected in err


def test_a_policy_that_is_missing_is_one_line(geolocate, monkeypatch):
    monkeypatch.setenv("GEOLOCATE_POLICY", "absent.toml")
    code, _, err = geolocate("set", "export", "cities", "--format", "csv", "--out", "o")
    assert (code, err.count("\n")) == (1, 1)
    assert "absent.toml cannot be read" in err


def test_a_manifest_of_an_unknown_schema_version_is_one_line(root, geolocate):
    path = root.collection("cities") / "manifest" / "00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"schema_version": b"2.0"}), path)
    code, _, err = geolocate("set", "publish", "cities", "--name", "cities")
    assert (code, err.count("\n")) == (1, 1)
    assert "has schema_version 2.0, this program reads 1.x: update the program, or collect again" in err


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("world", "real", "2 worlds (emulated, real)"),
        ("terms_version", "2-7", "2 versions of the emulated world (1, 2-7)"),
    ],
)
def test_mixed_worlds_are_one_line(root: DataRoot, geolocate, column, value, expected):
    other = manifest_rows(9, seed=50).assign(**{column: value})
    write_manifest(pd.DataFrame(other), root.collection("other") / "manifest" / "00000.parquet")
    code, _, err = geolocate("set", "publish", "cities", "other", "--name", "both")
    assert (code, err.count("\n")) == (1, 1)
    assert expected in err
