"""Every panorama is in one part or out of all for a reason, and the parts share neither ground nor drive."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.dataset import PublishRequest, open_dataset, publish
from geolocate.dataset.splits import (
    LEFT_OUT,
    PARTS,
    cost_lines,
    prove_split,
    shares_drive,
    split_costs,
    split_panoramas,
)
from geolocate.errors import DatasetError
from geolocate.geography.distances import haversine_km
from geolocate.geography.partition import ground_partition, partition_version
from geolocate.geography.regions import load_region
from geolocate.geography.towns import town_names
from geolocate.manifest import write_manifest
from geolocate.storage import DataRoot, read_json, sha256_of_file, write_json
from tests.manifest.rows import manifest_rows

UK = load_region("uk")
VERSION = partition_version(UK)


def panoramas(seed, count=400, *, spread=0.05, months=12, sequences=0):
    """Panoramas around three cities, taken in a few months; some of named sequences."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 3, count)
    middle = np.array([(52.48, -1.90), (53.48, -2.24), (55.86, -4.25)])[city]
    at = middle + rng.normal(0, spread, (count, 2)) * (1.0, 1.6)
    named = rng.random(count) < (0.5 if sequences else 0.0)
    return pd.DataFrame(
        {
            "source_id": [f"s{seed}-{row}" for row in range(count)],
            "panorama_id": [f"s{seed}-{row}" for row in range(count)],
            "lat": at[:, 0],
            "lon": at[:, 1],
            "town": town_names(UK, at[:, 0], at[:, 1]),
            "captured": [f"2020-{1 + month:02d}" for month in rng.integers(0, months, count)],
            "sequence_id": np.where(named, rng.integers(0, max(sequences, 1), count).astype(str), None),
            "class_id": [f"class-{number}" for number in city],
        }
    )


def split(rows):
    return rows.join(split_panoramas(UK, rows))


ROWS = st.builds(
    panoramas,
    st.integers(0, 100_000),
    st.integers(50, 300),
    spread=st.sampled_from([0.005, 0.03, 0.1]),
    months=st.integers(1, 12),
    sequences=st.sampled_from([0, 5, 60]),
)


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_every_row_is_in_one_state_and_what_is_split_can_be_proven(rows):
    done = split(rows)
    assert done["part"].isin([*PARTS, *LEFT_OUT]).all()
    assert (done["sample"] | (done["part"] != "sample")).all()
    prove_split(UK, done, VERSION)


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_nothing_that_is_fitted_is_near_test_ground_or_of_its_drives(rows):
    done = split(rows)
    test, fitted = done[done["part"] == "test"], done[done["part"].isin(["train", "val", "calibration"])]
    assert not fitted["sample"].any()
    if fitted.empty or test.empty:
        return
    pairs = fitted.merge(test, how="cross", suffixes=("", "_test"))
    km = haversine_km(pairs["lat"], pairs["lon"], pairs["lat_test"], pairs["lon_test"])
    assert km.min() > UK.partition.buffer_km
    assert not (pairs["sequence_id"] == pairs["sequence_id_test"]).any()
    unnamed = pairs["sequence_id"].isna() & pairs["sequence_id_test"].isna()
    same_month = (pairs["captured"] == pairs["captured_test"]) & unnamed
    assert km[same_month].min(initial=np.inf) > UK.partition.sequence_km
    assert not (same_month & (pairs["town"] == pairs["town_test"])).any()


@settings(max_examples=30, deadline=None)
@given(ROWS, ROWS)
def test_more_rows_only_ever_leave_rows_out(some, others):
    alone = split(some)
    others = others.assign(source_id="other " + others["source_id"], panorama_id="other " + others["panorama_id"])
    together = split(pd.concat([some, others], ignore_index=True)).iloc[: len(some)]
    moved = alone["part"].to_numpy() != together["part"].to_numpy()
    before, after = alone["part"].to_numpy()[moved], together["part"].to_numpy()[moved]
    # A class may gain its first training place, or lose its last: only then may "unseen" come or go.
    assert set(after[before != "unseen"]) <= {"sequence", "unseen"}
    assert not np.isin(after[before == "train"], ["val", "calibration", "test"]).any()
    assert (alone["sample"].to_numpy() == together["sample"].to_numpy()).all()
    fixed = ground_partition(UK, some["lat"], some["lon"])["part"].to_numpy() == "test"
    assert np.isin(together["part"].to_numpy()[fixed], ["test", "unseen"]).all()


@settings(max_examples=20, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, shuffle):
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    mixed = split(rows.iloc[order])
    pd.testing.assert_frame_equal(mixed.sort_index(), split(rows))


def test_a_named_sequence_is_kept_apart_however_far_it_runs():
    rows = panoramas(1, 60)
    ground = ground_partition(UK, rows["lat"], rows["lon"])
    rows["captured"] = [f"{1900 + row}-01" for row in range(len(rows))]
    clear = (ground["part"] == "train") & ~ground["in_buffer"] & ~ground["sample"]
    test, far = (ground["part"] == "test").idxmax(), clear[clear].index[-1]
    rows.loc[[test, far], "sequence_id"] = "one-drive"
    done = split(rows)
    assert (done.loc[test, "part"], done.loc[far, "part"]) == ("test", "sequence")
    assert (done["part"] == "sequence").sum() == 1


def drives(**columns):
    """Which rows share the first row's drive, when rows stand 1 km apart unless said otherwise."""
    count = len(next(iter(columns.values())))
    known = {"lat": 52 + np.arange(count) / 111.2, "lon": -1.0, "town": "A", "sequence_id": None, "captured": "2020-01"}
    rows = pd.DataFrame({**known, **columns}, index=range(count))
    return shares_drive(rows, np.arange(count) == 0, 5.0).tolist()


def test_a_month_is_a_drive_within_a_town_and_a_few_kilometres_around():
    assert drives(town=["A", "B", "B"], lat=[52.0, 52.04, 52.06]) == [True, True, False]
    assert drives(lat=[52.0, 52.2]) == [True, True]
    assert drives(captured=["2020-01-03", "2020-01", "2020-02"]) == [True, True, False]


def test_undated_rows_share_a_drive_with_each_other_only():
    assert drives(captured=[None, None, "2020-01"]) == [True, True, False]
    assert drives(captured=["2020-01", None]) == [True, False]


def test_rows_of_a_named_sequence_are_judged_by_it_alone():
    assert drives(sequence_id=["s", "s", "t", None], lat=[52.0, 55.0, 52.0, 52.0]) == [True, True, False, False]


def test_the_sample_takes_its_share_of_every_part_alike():
    rows = panoramas(3, 20_000, spread=0.3)
    ground = ground_partition(UK, rows["lat"], rows["lon"])
    by_part = ground.groupby("part")["sample"].mean()
    assert by_part.to_numpy() == pytest.approx(UK.partition.sample_share, abs=0.015)


def test_costs_name_each_reason_and_the_classes_that_lost_a_part():
    done = split(panoramas(4, 300, months=3))
    costs = split_costs(done)
    assert sum(costs["by_part"].values()) + sum(costs["left_out"].values()) == costs["panoramas"] == 300
    assert costs["left_out"]["sequence"] == (done["part"] == "sequence").sum() > 0
    without_val = set(done["class_id"]) - set(done.loc[done["part"] == "val", "class_id"])
    assert costs["classes_without"]["val"] == sorted(without_val)
    lines = cost_lines(costs | {"classes_without": {"test": ["class-0"]}}, pd.Series({"class-0": "Leeds"}), 7)
    assert any("7 panoramas of no class" in line for line in lines)
    assert any(line.startswith("left out, sequence: ") for line in lines)
    assert lines[-1] == "classes without test: 1 of 3 (Leeds)"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = DataRoot(tmp_path_factory.mktemp("splits"))
    cities = [(51.507, -0.128), (53.797, -1.548), (55.865, -4.258)]
    rows = [manifest_rows(80, lat=lat, lon=lon, spread=0.03, seed=seed) for seed, (lat, lon) in enumerate(cities)]
    write_manifest(pd.concat(rows, ignore_index=True), root.collection("cities") / "manifest" / "0.parquet")
    return root, publish(root, PublishRequest(name="cities", collections=("cities",), top=20))


def test_a_card_holds_what_the_split_costs(published):
    root, ref = published
    version = open_dataset(root, str(ref))
    rows = version.frame.drop_duplicates("source_id")
    assert version.card["splits"] == split_costs(rows)
    assert set(version.sample_rows()["source_id"]) == set(rows.loc[rows["sample"], "source_id"])


def planted(published, change):
    """Alter the labels and mend the card's hash, as someone would who means it."""
    root, ref = published
    folder = root.dataset(ref.name, ref.version)
    labels = pd.read_parquet(folder / "labels.parquet")
    card = read_json(folder / "card.json")
    try:
        change(labels).to_parquet(folder / "labels.parquet", index=False)
        mended = card["files"] | {"labels.parquet": sha256_of_file(folder / "labels.parquet")}
        write_json(folder / "card.json", card | {"files": mended})
        with pytest.raises(DatasetError) as caught:
            open_dataset(root, str(ref))
    finally:
        labels.to_parquet(folder / "labels.parquet", index=False)
        write_json(
            folder / "card.json",
            card | {"files": card["files"] | {"labels.parquet": sha256_of_file(folder / "labels.parquet")}},
        )
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("reason", ["test", "buffer", "sample"])
def test_a_planted_leak_is_caught(published, reason):
    message = planted(published, lambda labels: labels.assign(part=labels["part"].replace(reason, "train")))
    assert message.startswith("dataset cities@")
    assert "the split leaks: panorama pano-" in message
    assert "(train, at 5" in message
    assert "is in another part than its ground" in message
    assert message.endswith("publish the dataset again")


def test_a_planted_drive_is_caught(published):
    message = planted(published, lambda labels: labels.assign(part=labels["part"].replace("sequence", "train")))
    assert "shares a capture drive with test rows" in message


def test_blocks_and_sample_are_computed_again(published):
    assert "in another block than the one it names" in planted(
        published, lambda table: table.assign(block_id="2kmE1N1")
    )
    assert "probability sample" in planted(published, lambda table: table.assign(sample=False))


def test_views_of_a_panorama_cannot_be_torn_apart(published):
    def torn(labels):
        first = labels.index[labels["part"] == "train"][0]
        return labels.assign(part=labels["part"].where(labels.index != first, "val"))

    assert "is in two parts" in planted(published, torn)


def test_a_partition_that_changed_since_is_named():
    done = split(panoramas(5, 50))
    with pytest.raises(
        DatasetError, match=r"under ground partition 'uk-of-old', while region 'uk' now has 'uk-2km-v2-"
    ):
        prove_split(UK, done, "uk-of-old")


def test_a_hundred_thousand_panoramas_are_proven_in_a_moment():
    done = split(panoramas(6, 100_000, spread=0.3))
    started = time.process_time()
    prove_split(UK, done, VERSION)
    assert time.process_time() - started < 3.0  # 0.5 s on an idle core
