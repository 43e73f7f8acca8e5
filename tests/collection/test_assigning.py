"""Every photograph belongs to one place: within a shard, and between shards."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.collection.answers import answer_to_json
from geolocate.collection.assigning import assign_panoramas, companions_elsewhere, duplicates_in
from geolocate.collection.collect import start_collection
from geolocate.collection.finding import Search, settle_round
from geolocate.collection.shards import FOUND, FOUND_SCHEMA, files_of, panorama_columns, write_rows
from geolocate.records import OutcomeStatus, Panorama, Rights, SamplePoint, View, World
from tests.collection.stand_in import plan_of

RIGHTS = Rights("CC-BY-SA-4.0", "ann", "open-licence", World.EMULATED, "2")
#: Few photographs, so that places often want the same ones: the first is the place's own.
PLACES = st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True), min_size=1, max_size=8)


def place(photographs):
    members = [
        Panorama("mapillary", f"i{one}", 51.5, -0.1, "2020-01", RIGHTS, native=View(45.0 * one)) for one in photographs
    ]
    return Panorama(
        **{name: getattr(members[0], name) for name in ("provider", "source_id", "lat", "lon", "captured")},
        rights=RIGHTS,
        native=members[0].native,
        companions=tuple(members[1:]),
    )


def search(number):
    return Search([SamplePoint(f"p{number}", 0, "g", 51.5, -0.1, 50.0, 1.0)])


@settings(max_examples=150, deadline=None)
@given(rounds=st.lists(PLACES, min_size=1, max_size=3))
def test_within_a_shard_no_photograph_is_in_two_places_and_none_is_lost_for_nothing(rounds):
    claimed, settled = set(), []
    for places in rounds:
        wanted = [search(number) for number in range(len(places))]
        settle_round(wanted, [place(one) for one in places], claimed, OutcomeStatus.FAILED)
        settled += zip(places, wanted, strict=True)
    taken = [one.source_id for _, each in settled if each.panorama for one in each.panorama.members]
    assert max(Counter(taken).values()) == 1
    assert set(taken) == claimed
    for photographs, each in settled:
        if each.panorama is None:
            assert each.misses == [OutcomeStatus.DUPLICATE]
            assert f"i{photographs[0]}" in claimed
        else:
            assert each.panorama.source_id == f"i{photographs[0]}"
    # What a place wanted and does not have, another place has.
    wanted_ids = {f"i{one}" for photographs, each in settled if each.panorama for one in photographs}
    assert wanted_ids == claimed


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A collection of two shards that has been started; its found tables are written anew by each example."""
    from geolocate.collection import CollectRequest
    from geolocate.settings import Settings
    from geolocate.storage import DataRoot

    root = DataRoot(tmp_path_factory.mktemp("data"))
    request = CollectRequest(
        "c", Settings(_env_file=None, street_view_url="http://127.0.0.1:1", world="emulated"), "uk"
    )
    start_collection(root, "c", plan_of(2, shards=2, draws=1), request)
    return root, request


def found_row(number, photographs, snap_m):
    row = dict.fromkeys(FOUND_SCHEMA.names)
    row |= {"point_id": f"p{number}", "group_id": "g", "status": FOUND, "draws": 1, "misses": "[]"}
    row |= {"requested_lat": 51.5, "requested_lon": -0.1, "sample_weight": 1.0, "snap_m": snap_m}
    return row | panorama_columns(place(photographs))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), places=PLACES)
def test_between_shards_no_photograph_is_in_two_places(shards, data, places):
    root, request = shards
    files = files_of(root, "c")
    of_shard = [data.draw(st.integers(0, 1)) for _ in places]
    snaps = [data.draw(st.sampled_from([1.0, 2.0, 3.0])) for _ in places]
    rows = [found_row(number, one, snaps[number]) for number, one in enumerate(places)]
    for shard in (0, 1):
        mine = [row for row, its in zip(rows, of_shard, strict=True) if its == shard]
        write_rows(files.table(FOUND, shard), mine, FOUND_SCHEMA)
    panoramas = assign_panoramas(root, request)
    gone = duplicates_in(files, 0) | duplicates_in(files, 1)
    elsewhere = companions_elsewhere(files, 0) | companions_elsewhere(files, 1)
    kept = [
        (number, f"i{one}")
        for number, photographs in enumerate(places)
        if f"p{number}" not in gone
        for one in photographs
        if (f"p{number}", f"i{one}") not in elsewhere
    ]
    assert max(Counter(one for _, one in kept).values()) == 1
    # Each first photograph has a place of its own: that of the point nearest to it.
    firsts = {f"i{photographs[0]}" for photographs in places}
    assert len(places) - len(gone) == panoramas == len(firsts)
    for number, photographs in enumerate(places):
        rivals = [(snaps[at], f"p{at}") for at, other in enumerate(places) if other[0] == photographs[0]]
        assert (f"p{number}" not in gone) == (min(rivals) == (snaps[number], f"p{number}"))
    assert {one for _, one in kept} == firsts | {
        f"i{one}" for number, photographs in enumerate(places) if f"p{number}" not in gone for one in photographs
    }
    again = (files.duplicates.read_bytes(), assign_panoramas(root, request), files.duplicates.read_bytes())
    assert again[0] == again[2]


def test_a_place_survives_being_written_down():
    flat = place([1, 2, 3])
    assert [one["source_id"] for one in json.loads(answer_to_json(flat))["companions"]] == ["i2", "i3"]
