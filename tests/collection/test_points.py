"""Points that somebody else has chosen become a plan, however their columns are spelt."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolocate.collection.plan import COLUMNS
from geolocate.collection.points import plan_of_points, read_points
from geolocate.errors import PlanError

HERMITAGE = '"Hermitage, Thatcham"'


@pytest.mark.parametrize("header", ["town,lat,lng", "City, Latitude ,LONGITUDE", "label,lat,lon", "name,lat,long"])
def test_the_obvious_spellings_are_read(tmp_path, header):
    (tmp_path / "points.csv").write_text(f"\ufeff{header}\n{HERMITAGE},51.456,-1.275\n", encoding="utf-8")
    points = read_points(tmp_path / "points.csv")
    assert points.to_dict("records") == [{"town": "Hermitage, Thatcham", "lat": 51.456, "lon": -1.275}]


def test_a_folder_is_a_csv_a_cell(tmp_path):
    for cell, town in (("50kmE350N320", HERMITAGE), ("50kmE360N315", "Croydon")):
        (tmp_path / f"{cell}.csv").write_text(f"town,lat,lng,path\n{town},51.4,-1.2,a.jpg\n")
    points = read_points(tmp_path)
    assert points["cell"].tolist() == ["50kmE350N320", "50kmE360N315"]
    assert points["image"].tolist() == ["a.jpg", "a.jpg"]


def test_two_spellings_of_one_column_keep_both(tmp_path):
    (tmp_path / "p.csv").write_text("town,city,lat,lng\nHermitage,Reading,51.4,-1.2\n")
    points = read_points(tmp_path / "p.csv")
    assert points[["town", "city"]].iloc[0].tolist() == ["Hermitage", "Reading"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("town,lng\nA,1\n", "no column lat/latitude; there is town, lon"),
        ("town,lat,lng\nA,51,-1\nB,north,-1\n", "row 2: lat 'north': degrees from -90 to 90"),
        ("town,lat,lng\nA,51,-181\n", "row 1: lon '-181'"),
        ("town,lat,lng\nA,,-1\n", "row 1: lat ''"),
        ("", "cannot be read"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path, text, told):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(PlanError) as caught:
        read_points(tmp_path / "p.csv")
    assert told in str(caught.value)
    assert "p.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_and_an_empty_table_are_refused(tmp_path):
    with pytest.raises(PlanError, match="no CSV file in"):
        read_points(tmp_path)
    (tmp_path / "p.csv").write_text("lat,lon\n")
    with pytest.raises(PlanError, match="at least one position"):
        plan_of_points(read_points(tmp_path / "p.csv"))


POSITIONS = st.lists(st.tuples(st.floats(50, 55), st.floats(-4, 0)), min_size=1, max_size=250)


@given(POSITIONS, st.randoms(use_true_random=False))
def test_the_plan_holds_each_position_once_whatever_their_order(positions, shuffler):
    plan = plan_of_points(pd.DataFrame(positions, columns=["lat", "lon"]))
    assert set(plan.columns) == set(COLUMNS)
    rounded = {(round(lat, 6) + 0.0, round(lon, 6) + 0.0) for lat, lon in positions}
    assert len(plan) == len(rounded) == plan["point_id"].nunique()
    assert plan["shard"].is_monotonic_increasing
    assert plan["shard"].value_counts().max() <= 100
    shuffled = positions + positions[:5]
    shuffler.shuffle(shuffled)
    pd.testing.assert_frame_equal(plan, plan_of_points(pd.DataFrame(shuffled, columns=["lat", "lon"])))
