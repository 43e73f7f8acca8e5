"""Lineage says what a version was made of, and notices when that is no longer what lies there."""

import pandas as pd
import pytest

from geolocate.dataset import open_dataset
from geolocate.dataset.tracing import trace
from geolocate.errors import DatasetError
from geolocate.storage import sha256_of_file, write_json
from tests.dataset.published import request


def states(node):
    return {f"{one.kind} {one.name}": one.state for one in node.disagreeing()}


def test_the_card_holds_the_hash_of_everything_that_went_in(cities):
    lineage = open_dataset(cities, "cities").card["lineage"]
    assert set(lineage["region"]["layers"]) >= {"places.csv", "boundary.parquet", "suburb_overrides.csv"}
    assert lineage["schema_version"] == "1.1"
    assert lineage["code"]["version"]
    assert lineage["collections"]["cities"]["manifest"]
    assert states(trace(cities, "cities")) == {}


def test_what_changed_since_is_named(own_cities):
    manifest = own_cities.collection("cities") / "manifest" / "00000.parquet"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    version = open_dataset(own_cities, "cities")
    labels = version.path / "labels.parquet"
    pd.read_parquet(labels).assign(part="train").to_parquet(labels)
    found = trace(own_cities, "cities")
    assert states(found) == {
        f"dataset {version.ref}": "changed",
        "collection cities": "changed",
        "manifest manifest": "changed",
    }
    assert "labels.parquet" in found.note
    manifest.unlink()
    assert states(trace(own_cities, "cities"))["manifest manifest"] == "missing"


def run_of(root, ref, name="r1"):
    """The files of a finished run, as far as lineage reads them."""
    folder = root.run(name)
    folder.mkdir(parents=True)
    (folder / "checkpoint.safetensors").write_bytes(b"weights")
    card = {"dataset": {"name": ref.name, "version": ref.version, "sha256": ref.sha256}}
    write_json(folder / "config.json", card)
    write_json(
        folder / "checkpoint.json", card | {"checkpoint_sha256": sha256_of_file(folder / "checkpoint.safetensors")}
    )
    return folder


def test_a_run_is_traced_up_to_its_dataset_and_a_dataset_down_to_its_runs(own_cities):
    ref = open_dataset(own_cities, "cities").ref
    folder = run_of(own_cities, ref)
    upwards = trace(own_cities, "r1")
    assert [node.name for node in upwards.made_of] == [str(ref)]
    assert [node.name for node in trace(own_cities, str(ref)).used_by] == ["r1"]
    (folder / "checkpoint.safetensors").write_bytes(b"others")
    assert states(trace(own_cities, "cities")) == {"run r1": "changed"}
    run_of(own_cities, ref, name="cities")
    with pytest.raises(DatasetError, match="'cities' is a run and a dataset: write cities@"):
        trace(own_cities, "cities")


def test_a_version_that_is_gone_is_missing(own_cities):
    ref = open_dataset(own_cities, "cities").ref
    run_of(own_cities, ref)
    (own_cities.dataset(ref.name, ref.version) / "card.json").unlink()
    assert states(trace(own_cities, "r1")) == {f"dataset {ref}": "missing"}


def test_an_unknown_name_says_what_there_is(cities):
    with pytest.raises(DatasetError, match=r"no dataset 'absent'.*cities"):
        trace(cities, "absent")


def test_the_table_of_overrides_is_followed(own_cities):
    from geolocate.dataset import publish

    table = own_cities.path / "mine.csv"
    table.write_text("place_id,parent_id,reason\n2654675,2643743,x\n")
    ref = publish(own_cities, request(suburb_overrides=table))
    assert states(trace(own_cities, str(ref))) == {}
    table.write_text("place_id,parent_id,reason\n")
    assert states(trace(own_cities, str(ref))) == {f"overrides {table}": "changed"}
