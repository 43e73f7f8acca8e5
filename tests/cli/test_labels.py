"""`geolocate set classes` and `geolocate set label`, as people and machines call them."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from geolocate.cli import build
from geolocate.errors import PlanError
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot
from tests.manifest.rows import manifest_rows

DOCS = Path(__file__).parents[2] / "docs" / "merge-tables"


def call(*arguments: str) -> str:
    done = CliRunner().invoke(build(), ["set", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(("region", "classes"), [("uk", 118), ("us", 135)])
def test_the_merge_table_in_the_docs_is_what_the_command_writes(region, classes, tmp_path):
    said = call("classes", "--region", region, "--top", "150", "--csv", str(tmp_path / "table.csv"))
    assert f"{classes} classes" in said
    assert (tmp_path / "table.csv").read_text() == (DOCS / f"{region}-150.csv").read_text()


def test_the_merge_table_for_machines():
    told = json.loads(call("classes", "--region", "uk", "--top", "20", "--json"))
    assert told["classes"] == len({row["parent_id"] for row in told["places"]})
    birkenhead = next(row for row in told["places"] if row["place"] == "Birkenhead")
    assert (birkenhead["parent"], birkenhead["reason"]) == ("Liverpool", "within 6.2 km of Liverpool")
    assert birkenhead["km"] == pytest.approx(3.1, abs=0.01)


def test_a_table_of_positions_is_labelled_and_keeps_its_own_columns(tmp_path):
    (tmp_path / "mine.csv").write_text("town,lat,lng,note\nHome,51.456,-1.275,x\nParis,48.85,2.35,y\n")
    out = tmp_path / "labelled.parquet"
    told = json.loads(call("label", str(tmp_path / "mine.csv"), "--out", str(out), "--json"))
    assert (told["positions"], told["outside"], told["towns"]) == (2, 1, 1)
    labelled = pd.read_parquet(out)
    assert labelled["town_given"].tolist() == ["Home", "Paris"]
    assert labelled["town"].tolist() == ["Hermitage, Thatcham", ""]
    assert labelled["note"].tolist() == ["x", "y"]


def test_a_collection_is_labelled_one_row_a_panorama(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLOCATE_DATA", str(tmp_path))
    write_manifest(manifest_rows(12), DataRoot(tmp_path).collection("mine") / "manifest" / "0000.parquet")
    call("label", "mine", "--out", str(tmp_path / "l.csv"))
    labelled = pd.read_csv(tmp_path / "l.csv", keep_default_na=False)
    assert labelled["source_id"].nunique() == len(labelled) == 12


def test_wrong_words_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLOCATE_DATA", str(tmp_path))
    with pytest.raises(PlanError, match="'absent' is neither a file of positions nor a collection"):
        call("label", "absent", "--out", "l.csv")
    (tmp_path / "p.csv").write_text("lat,lon\n51,-1\n")
    with pytest.raises(PlanError, match="cell size 0 km"):
        call("label", str(tmp_path / "p.csv"), "--out", str(tmp_path / "l.csv"), "--cell-km", "0")
    with pytest.raises(PlanError, match=r"ends in \.csv or \.parquet"):
        call("label", str(tmp_path / "p.csv"), "--out", str(tmp_path / "l.xlsx"))
