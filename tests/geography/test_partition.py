"""The ground is split once: keyed, stable, and with a gap around every test block."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.errors import DatasetError, RegionError
from geolocate.geography.partition import assert_no_shared_ground, ground_partition, partition_version
from geolocate.geography.regions import Region, load_region


def _everywhere(region_name: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    box = {"uk": (50.0, 58.5, -6.0, 1.5), "us": (30.0, 48.0, -120.0, -75.0)}[region_name]
    return rng.uniform(box[0], box[1], count), rng.uniform(box[2], box[3], count)


@pytest.mark.parametrize("name", ["uk", "us"])
def test_the_shares_are_those_of_the_file(name: str) -> None:
    region = load_region(name)
    table = ground_partition(region, *_everywhere(name, 8_000, 5))
    shares = table["part"].value_counts(normalize=True)
    for part, share in region.partition.shares.items():
        assert shares[part] == pytest.approx(share, abs=0.02)
    assert not table.loc[table["part"] == "test", "in_buffer"].any()


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["uk", "us"]), st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_no_two_sides_share_ground(name: str, seed: int, v: float, u: float) -> None:
    region = load_region(name)
    lats, lons = _everywhere(name, 1, seed)
    rng = np.random.default_rng(seed)
    lat = lats[0] + v * 0.1 + rng.uniform(0, 0.1, 2000)
    lon = lons[0] + u * 0.1 + rng.uniform(0, 0.16, 2000)
    rows = ground_partition(region, lat, lon).assign(lat=lat, lon=lon)
    test = rows[rows["part"] == "test"]
    rest = rows[(rows["part"] != "test") & ~rows["in_buffer"]]
    assert_no_shared_ground(rest, test, region.partition.buffer_km)


def test_a_block_has_one_part_whatever_else_is_asked(uk: Region) -> None:
    lat, lon = _everywhere("uk", 500, 8)
    together = ground_partition(uk, lat, lon)
    alone = pd.concat([ground_partition(uk, lat[i], lon[i]) for i in range(0, 500, 50)], ignore_index=True)
    pd.testing.assert_frame_equal(alone, together.iloc[::50].reset_index(drop=True))
    assert together.groupby("block_id")["part"].nunique().max() == 1


def test_the_table_is_frozen(uk: Region, us: Region) -> None:
    # These values are in checkpoints and dataset versions: a change here needs a new partition version.
    found = ground_partition(uk, [51.456, 53.4809, 55.9521], [-1.275, -2.2374, -3.1965])
    assert found["block_id"].tolist() == FROZEN_BLOCKS
    assert found["part"].tolist() == FROZEN_PARTS
    east = ground_partition(uk, np.full(60, 52.48), -1.9 + 0.01 * np.arange(60))
    assert np.flatnonzero(east["sample"]).tolist() == FROZEN_SAMPLE
    assert [partition_version(uk), partition_version(us)] == FROZEN_VERSIONS


FROZEN_BLOCKS = ["2kmE3540N3208", "2kmE3512N3442", "2kmE3500N3724"]
FROZEN_PARTS = ["test", "train", "train"]
FROZEN_SAMPLE = [20, 38, 56]
FROZEN_VERSIONS = ["uk-2km-v2-2c74db37", "us-2km-v2-7c417eec"]


def test_another_key_is_another_version(uk: Region) -> None:
    other = uk.model_copy(update={"partition": uk.partition.model_copy(update={"key": "another"})})
    assert partition_version(other) != partition_version(uk)


@pytest.mark.parametrize("position", [(40.7, -74.0), (np.nan, 0.0)])
def test_a_position_elsewhere_is_refused(uk: Region, position: tuple[float, float]) -> None:
    with pytest.raises(RegionError, match="outside region 'uk'"):
        ground_partition(uk, [51.5, position[0]], [-0.1, position[1]])


def test_shared_ground_is_told_with_its_place() -> None:
    train = pd.DataFrame({"lat": [51.0, 52.0], "lon": [0.0, 0.0]})
    test = pd.DataFrame({"lat": [52.003], "lon": [0.0]})
    with pytest.raises(DatasetError, match=r"1 training rows .* 52\.00000, 0\.00000"):
        assert_no_shared_ground(train, test, 0.5)
    assert_no_shared_ground(train, test.head(0), 0.5)
    assert_no_shared_ground(train, test, 0.3)


def test_no_rows_are_no_error(uk: Region) -> None:
    assert ground_partition(uk, [], []).columns.tolist() == ["block_id", "part", "in_buffer", "sample"]
