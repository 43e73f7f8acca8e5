"""A place of several flat photographs is one panorama: one label, one part, one unit, and each photograph is proven."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.dataset.forgetting import Wanted, choose_victims
from geolocate.dataset.splits import PARTS, ground_parts, prove_split, split_panoramas
from geolocate.errors import DatasetError
from geolocate.geography.partition import ground_partition
from geolocate.geography.towns import town_names
from geolocate.manifest import one_a_panorama, write_manifest
from geolocate.manifest.tombstones import add_tombstones, without_forgotten
from geolocate.storage import DataRoot, read_json
from tests.dataset.flat_places import as_flat_places
from tests.dataset.published import city_rows
from tests.dataset.test_splits import ROWS, UK, VERSION


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A version in which every second panorama is a place of three photographs."""
    root = DataRoot(tmp_path_factory.mktemp("places"))
    write_manifest(as_flat_places(city_rows(root)), root.collection("flat") / "manifest" / "00000.parquet")
    publish(root, PublishRequest(name="flat", collections=("flat",), top=20))
    return root


def test_a_place_has_one_label_and_one_part_and_counts_once(published):
    frame = open_dataset(published, "flat").frame
    labels = frame.groupby("panorama_id")[["class_id", "town", "cell", "block_id", "part", "sample"]].nunique()
    assert (labels == 1).all(axis=None)
    assert frame["source_id"].nunique() > frame["panorama_id"].nunique() == 75
    card = read_json(open_dataset(published, "flat").path / "card.json")
    assert (card["panoramas"], card["images"]) == (75, 225)
    assert sum(card["panoramas_by_part"].values()) == 75
    assert card["balance"]["panoramas_max"] == 25


def test_the_label_is_that_of_the_first_photograph(published):
    frame = open_dataset(published, "flat").frame
    speaking = one_a_panorama(frame)
    assert (speaking["source_id"] == speaking["panorama_id"]).all()
    ground = ground_partition(UK, speaking["lat"], speaking["lon"])
    assert list(speaking["block_id"]) == list(ground["block_id"])


def test_forgetting_a_photograph_leaves_the_others_and_forgetting_a_place_takes_all(published, tmp_path):
    frame = open_dataset(published, "flat").frame
    place = frame[frame["panorama_id"] != frame["source_id"]]["panorama_id"].iloc[0]
    rows = frame[frame["panorama_id"] == place]
    one = choose_victims(published, Wanted(panoramas=(place,)))
    assert one.images == frozenset(rows.loc[rows["source_id"] == place, "image_id"])
    whole = choose_victims(published, Wanted(places=(rows["class_id"].iloc[0],)))
    assert set(rows["image_id"]) <= whole.images
    add_tombstones(DataRoot(tmp_path), (), (place,))
    left = without_forgotten(DataRoot(tmp_path), frame)
    assert set(left.loc[left["panorama_id"] == place, "source_id"]) == set(rows["source_id"]) - {place}
    prove_split(UK, left, VERSION)
    assert len(one_a_panorama(left)) == 75


def test_which_photographs_make_a_place_is_part_of_the_version(published, tmp_path):
    root = DataRoot(tmp_path)
    rows = as_flat_places(city_rows(root))
    apart = rows.assign(panorama_id=rows["source_id"])
    for name, manifest in (("one", rows), ("two", apart)):
        write_manifest(manifest, root.collection(name) / "manifest" / "00000.parquet")
    versions = [publish(root, PublishRequest(name=name, collections=(name,), top=20)).sha256 for name in ("one", "two")]
    assert versions[0] == open_dataset(published, "flat").ref.sha256
    assert versions[1] != versions[0]


def test_a_photograph_that_two_collections_count_to_two_places_stays_with_the_first(tmp_path):
    root = DataRoot(tmp_path)
    rows = as_flat_places(city_rows(root))
    companion = rows[rows["source_id"] != rows["panorama_id"]].head(1)
    for name, manifest in (("a", rows), ("b", companion.assign(panorama_id=companion["source_id"], image_id="again"))):
        write_manifest(manifest, root.collection(name) / "manifest" / "00000.parquet")
    publish(root, PublishRequest(name="both", collections=("a", "b"), top=20))
    frame = open_dataset(root, "both").frame
    assert (frame.groupby("source_id")["panorama_id"].nunique() == 1).all()


def test_a_dataset_of_plain_panoramas_keeps_the_hash_that_it_had(cities):
    """Hashed is what was hashed before there were places of several photographs, and nothing else."""
    version = open_dataset(cities, "cities")
    digest = hashlib.sha256(version.partition_version.encode())
    manifest = version.frame.sort_values("image_id")
    hashed = ["image_id", "sha256", "lat", "lon", "world", "captured", "sample_weight"]
    hashed += ["license", "attribution", "rights_basis", "retain_until"]
    for table in (
        manifest[hashed],
        pd.read_parquet(version.path / "labels.parquet"),
        pd.read_parquet(version.path / "classes.parquet"),
    ):
        digest.update(table.to_csv(index=False).encode())
    assert digest.hexdigest() == version.ref.sha256


def with_companions(rows, seed):
    """Add one or two photographs a few metres from every place, of other drives and months."""
    rng = np.random.default_rng(seed)
    others = [rows]
    for number in (1, 2):
        some = rows[rng.random(len(rows)) < 0.7]
        shifted = some.assign(
            source_id=some["source_id"] + f"/{number}",
            lat=some["lat"] + rng.uniform(-15, 15, len(some)) / 111_195,
            lon=some["lon"] + rng.uniform(-15, 15, len(some)) / 69_000,
            sequence_id=np.where(rng.random(len(some)) < 0.3, "drive of companions", None),
        )
        others.append(shifted)
    return pd.concat(others, ignore_index=True)


@settings(max_examples=25, deadline=None)
@given(ROWS, st.integers(0, 1000))
def test_what_is_proven_of_a_split_holds_for_each_photograph(rows, seed):
    photographs = with_companions(rows, seed)
    done = photographs.join(split_panoramas(UK, photographs))
    assert (done.groupby("panorama_id")[["part", "block_id", "sample"]].nunique() == 1).all(axis=None)
    prove_split(UK, done, VERSION)
    kept = done[done["part"].isin(PARTS)]
    assert (kept["part"] == ground_parts(ground_partition(UK, kept["lat"], kept["lon"]))).all()


def test_a_place_on_both_sides_of_a_border_is_left_out_and_cannot_be_smuggled_in():
    lat = np.arange(52.40, 52.60, 10 / 111_195)
    lon = np.full(len(lat), -1.9)
    part = ground_parts(ground_partition(UK, lat, lon))
    border = int(np.flatnonzero((part[:-1] == "train") & (part[1:] != "train"))[0])
    inland = np.flatnonzero((part[:-2] == "train") & (part[1:-1] == "train") & (part[2:] == "train"))[0] + 1
    at = np.array([border, border + 1, inland, inland + 1])
    rows = pd.DataFrame({"lat": lat[at], "lon": lon[at], "source_id": ["a", "a2", "b", "b2"]})
    rows = rows.assign(panorama_id=["a", "a", "b", "b"], captured="2020-01", sequence_id=["s", "t", "u", "v"])
    rows = rows.assign(town=town_names(UK, rows["lat"], rows["lon"]), class_id="c")
    done = rows.join(split_panoramas(UK, rows))
    assert list(done["part"]) == ["astride", "astride", "train", "train"]
    prove_split(UK, done, VERSION)
    with pytest.raises(DatasetError, match=r"the split leaks: panorama a2 .* is in another part than its ground"):
        prove_split(UK, done.assign(part="train"), VERSION)
    with pytest.raises(DatasetError, match="is of a place that is in two parts"):
        prove_split(UK, done.assign(part=["astride", "astride", "train", "buffer"]), VERSION)
