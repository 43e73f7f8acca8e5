"""A refresh asks for nothing that costs money until it is told to, buys the difference once, and keeps the past."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
import requests

from geolocate.collection import CollectRequest, Pace, collect, validate_collection
from geolocate.collection.forgetting import forget
from geolocate.collection.rounds import Scope, plan_of_round
from geolocate.dataset import open_dataset, publish
from geolocate.dataset.difference import compare_versions
from geolocate.dataset.gates import GateError
from geolocate.dataset.rebuilding import rebuild_version
from geolocate.dataset.refreshing import (
    RefreshCaps,
    RefreshPlan,
    begin_refresh,
    buy,
    check_plan,
    look,
    publish_refresh,
    request_in,
)
from geolocate.dataset.splits import PARTS
from geolocate.dataset.tracing import trace
from geolocate.dataset.versions import dataset_versions, read_version
from geolocate.emulator.faults import parse_faults
from geolocate.errors import CollectionError
from geolocate.geography.grids import cell_ids
from geolocate.geography.regions import load_region
from geolocate.manifest import read_manifest, write_manifest
from geolocate.storage import DataRoot
from tests.dataset.refreshed import FIRST, NAME, NOW, THEN, VIEWS, plan_of_towns, publish_towns, settings_for
from tests.emulator.conftest import running

QUICK = RefreshCaps(pace=Pace(per_second=2000))


@pytest.fixture(scope="module")
def then():
    with running(THEN) as url:
        yield url


@pytest.fixture(scope="module")
def now():
    with running(NOW) as url:
        yield url


@pytest.fixture(scope="module")
def published(then, tmp_path_factory):
    root = DataRoot(tmp_path_factory.mktemp("then") / "data")
    publish_towns(root, then)
    return root


@pytest.fixture(scope="module")
def refreshed(published, now, tmp_path_factory):
    """The root after a whole refresh, what the refresh said, and what the emulator billed meanwhile."""
    root = copy_of(published, tmp_path_factory.mktemp("now"))
    before = counters(now)
    plan = looked(root, now)
    free = counters(now)
    done = bought(root, now)
    return root, plan, done, [state["billed"] for state in (before, free, counters(now))]


def copy_of(root, folder):
    shutil.copytree(root.path, folder / "data")
    return DataRoot(folder / "data")


def counters(url):
    return requests.get(f"{url}/counters", timeout=10).json()


def looked(root, url, scope=None, caps=QUICK):
    settings = settings_for(root, url)
    begun = begin_refresh(root, NAME, settings, scope)
    plans = [look(root, one, request_in(root, begun, one, settings, caps)) for one in begun.rounds]
    return RefreshPlan(begun.before, tuple(plans))


def bought(root, url, scope=None, caps=QUICK):
    settings = settings_for(root, url)
    begun = begin_refresh(root, NAME, settings, scope)
    for one in begun.rounds:
        buy(root, one, request_in(root, begun, one, settings, caps))
    return publish_refresh(root, begun)


def found_in(root, name):
    """Which panorama each point has found."""
    tables = sorted((root.collection(name) / "found").glob("*.parquet"))
    return pd.concat(map(pd.read_parquet, tables)).set_index("point_id")["source_id"].dropna().to_dict()


def test_the_plan_tells_every_fate_and_costs_nothing(refreshed):
    _, plan, _, (before, free, _) = refreshed
    assert free == before
    assert sum(plan.points.values()) == 100
    assert all(plan.points[fate] > 0 for fate in ("unchanged", "changed", "new", "gone", "empty"))
    assert plan.metadata_requests >= 100
    assert plan.image_requests == (plan.points["changed"] + plan.points["new"]) * len(VIEWS)
    assert plan.price_usd_at_list == pytest.approx(plan.image_requests * 0.007)
    assert json.loads(json.dumps(plan.to_json()))["rounds"][0]["groups"]


def test_exactly_the_difference_is_billed(refreshed):
    root, plan, _, (_, free, after) = refreshed
    assert after - free == plan.image_requests > 0
    assert validate_collection(root, f"{NAME}.r1").ok


def test_a_comparison_counts_places_that_were_photographed_anew(refreshed):
    root, _, done, _ = refreshed
    found = compare_versions(root, str(done.before), str(done.after))
    assert found.places == done.changes.totals
    assert found.totals["added"] == (found.places["added"] + found.places["changed"]) * len(VIEWS)


def test_the_new_version_names_its_parent_and_what_changed(refreshed):
    root, _, done, _ = refreshed
    version = open_dataset(root, NAME)
    assert version.ref == done.after != done.before
    assert version.card["parent"] == {"version": str(done.before), "sha256": done.before.sha256}
    totals = version.card["changes"]["places"]
    assert totals == done.changes.totals
    assert min(totals["added"], totals["changed"], totals["gone"], totals["unchanged"]) > 0
    by_class = pd.DataFrame(version.card["changes"]["by_class"])
    assert by_class["changed"].sum() == totals["changed"]
    assert [node.state for node in trace(root, NAME).made_of if node.kind == "parent"] == ["agrees"]


def test_the_past_stays_and_no_ground_changes_its_part(refreshed, published):
    root, _, done, _ = refreshed
    old, new = open_dataset(root, str(done.before)), open_dataset(root, str(done.after))
    assert dataset_versions(root, NAME) == [done.before.version, done.after.version]
    pd.testing.assert_frame_equal(old.frame, open_dataset(published, NAME).frame)
    parts = [frame[frame["part"].isin(PARTS)].groupby("block_id")["part"].unique() for frame in (old.frame, new.frame)]
    both = parts[0].index.intersection(parts[1].index)
    assert len(both) > 10
    assert all(list(parts[0][block]) == list(parts[1][block]) for block in both)


def test_a_second_refresh_at_once_finds_nothing_and_publishes_nothing(refreshed, now, tmp_path):
    root, _, done, _ = refreshed
    root = copy_of(root, tmp_path)
    before = counters(now)["billed"]
    plan = looked(root, now)
    assert plan.points["changed"] == plan.points["new"] == plan.points["gone"] == plan.image_requests == 0
    again = bought(root, now)
    assert again.before == again.after == done.after
    assert counters(now)["billed"] == before
    assert looked(root, now).rounds[0].name == f"{NAME}.r3", "what is over is not taken up again"


def test_only_some_places_are_asked_and_what_was_forgotten_stays_so(published, refreshed, now, tmp_path):
    root = copy_of(published, tmp_path)
    frame = open_dataset(root, NAME).frame
    victim = frame.loc[frame["lat"] < 52, "source_id"].iloc[0]
    forget(root, [victim])
    london, before = Scope(groups=("London",)), counters(now)["metadata"]
    plan = looked(root, now, london)
    assert plan.rounds[0].asked == 30
    assert 30 <= counters(now)["metadata"] - before <= 60
    assert list(plan.rounds[0].groups["group_name"]) == ["London"]
    changes = bought(root, now, london).changes
    assert changes.totals["changed"] == plan.points["changed"] > 0
    assert (changes.totals["forgotten"], changes.totals["gone"]) == (1, plan.points["gone"])
    assert victim not in set(open_dataset(root, NAME).frame["source_id"])
    # The rest, later: rounds one after another find what one round of all finds.
    looked(root, now)
    ends = [found_in(one, name) for one, name in ((root, f"{NAME}.r2"), (refreshed[0], f"{NAME}.r1"))]
    lost = [point for point, panorama in ends[1].items() if panorama == victim]
    assert {point: ends[0].get(point) for point in ends[1] if point not in lost} == {
        point: panorama for point, panorama in ends[1].items() if point not in lost
    }


def test_places_are_chosen_by_cell_and_by_date(published, now, tmp_path):
    root = copy_of(published, tmp_path)
    frame = open_dataset(root, NAME).frame.drop_duplicates("point_id")
    cell = next(one for one in cell_ids(load_region("uk"), 10.0, frame["lat"], frame["lon"]) if one)
    here = frame[cell_ids(load_region("uk"), 10.0, frame["lat"], frame["lon"]) == cell]
    empty = len(plan_of_towns()["point_id"].unique()) - len(frame)
    for scope, points in (
        (Scope(groups=(cell,)), len(here)),
        (Scope(captured_before="2016"), (frame["captured"] < "2016").sum() + empty),
    ):
        one = begin_refresh(root, NAME, settings_for(root, now), scope).rounds[0]
        plan = plan_of_round(root, one)
        assert len(plan["point_id"].unique()) == 100
        assert len(plan.loc[plan["since"] == one.since, "point_id"].unique()) == points > 0


def test_a_cap_ends_it_without_a_version_and_a_higher_one_goes_on(published, now, tmp_path):
    root = copy_of(published, tmp_path)
    wanted, before = looked(root, now).image_requests, counters(now)["billed"]
    with pytest.raises(CollectionError, match="a cap was reached"):
        bought(root, now, caps=RefreshCaps(max_images=5, pace=Pace(per_second=2000)))
    assert counters(now)["billed"] - before == 5
    assert len(dataset_versions(root, NAME)) == 1
    assert looked(root, now).image_requests == wanted - 5


def test_another_world_is_refused_before_anything_is_asked(published, tmp_path):
    root = copy_of(published, tmp_path)
    with running(replace(NOW, seed=1)) as url, pytest.raises(CollectionError, match="same --seed"):
        looked(root, url)


def test_a_version_is_made_again_from_plan_and_ledger(refreshed, now, tmp_path):
    """The refresh's answers stand beside the earlier ones, so that neither version needs a request."""
    root, _, done, _ = refreshed
    root, ref = copy_of(root, tmp_path), done.after
    manifest = read_manifest(root.collection(NAME) / "manifest")
    for table in root.path.glob("collections/*/[fmo]*/*"):  # found, manifest, outcomes
        table.unlink()
    labels = root.dataset(ref.name, ref.version) / "labels.parquet"
    labels.write_bytes(b"damaged")
    before = counters(now)
    rebuilt = rebuild_version(root, str(ref), settings_for(root, now))
    assert rebuilt.same
    assert rebuilt.mended == ("labels.parquet",)
    assert rebuilt.metadata_requests == 0
    assert len(read_version(root, str(ref)).frame) == rebuilt.images
    collect(root, CollectRequest(NAME, settings_for(root, now), "uk", views=VIEWS), plan_of_towns())
    pd.testing.assert_frame_equal(manifest, read_manifest(root.collection(NAME) / "manifest"))
    assert counters(now) == before


def test_a_dataset_that_a_gate_refuses_leaves_its_rows_and_no_version(published, tmp_path):
    root = copy_of(published, tmp_path)
    path = root.collection(NAME) / "manifest" / "00000.parquet"
    rows = pd.DataFrame(read_manifest(path).drop(columns="geometry"))
    rows.loc[:9, ["sha256", "bytes"]] = rows.loc[10, ["sha256", "bytes"]].to_list()
    write_manifest(rows, path)
    with pytest.raises(GateError, match=r"11 of \d+ images are flagged duplicate, .* where 2.0% are allowed"):
        publish(root, FIRST)
    assert dataset_versions(root, NAME) == dataset_versions(published, NAME)
    (file,) = root.dataset(NAME).glob("refused-*.csv")
    assert set(pd.read_csv(file)["image_id"]) == set(rows.loc[:10, "image_id"])


def test_collecting_the_old_plan_again_does_not_undo_the_refresh(refreshed, tmp_path):
    root, _, done, _ = refreshed
    root = copy_of(root, tmp_path)
    assert publish(root, FIRST) == done.before
    assert open_dataset(root, NAME).ref == done.after


def test_killed_in_the_middle_it_goes_on_and_buys_nothing_twice(published, tmp_path):
    root = copy_of(published, tmp_path)
    with running(replace(NOW, latency_ms=30)) as url:
        environment = {
            "GEOLOCATE_DATA": str(root.path),
            "GEOLOCATE_STREET_VIEW_URL": url,
            "GEOLOCATE_WORLD": "emulated",
            "GOOGLE_MAPS_API_KEY": "emulator",
        }
        wanted = looked(root, url).image_requests
        command = [sys.executable, "-m", "geolocate.cli", "set", "refresh", NAME, "--concurrency", "4"]
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
        try:
            ends = time.monotonic() + 60
            while counters(url)["billed"] < 10 and time.monotonic() < ends:
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        paid = counters(url)["billed"]
        assert 10 <= paid < wanted
        assert dataset_versions(root, NAME) == [read_version(root, NAME).ref.version]
        settings = settings_for(root, url)
        (one,) = (begun := begin_refresh(root, NAME, settings)).rounds
        summary = buy(root, one, request_in(root, begun, one, settings, QUICK))
        # What was under way when it was killed may be asked for again.
        assert wanted <= counters(url)["billed"] <= wanted + 4
        assert not {"partial", "failed", "over_budget"} & set(summary.statuses)


def test_an_outage_does_not_pass_for_a_change_and_is_asked_anew(published, now, tmp_path):
    root = copy_of(published, tmp_path)
    with running(replace(NOW, faults=parse_faults(["zero_results=1"]))) as url:
        plan = looked(root, url)
        assert plan.points["gone"] > 0
        with pytest.raises(GateError, match="nothing was bought; should it be an outage") as refused:
            check_plan(root, plan)
        assert len(refused.value.rows) == plan.points["gone"]
        assert set(refused.value.rows["panorama_id"]) <= set(open_dataset(root, NAME).frame["panorama_id"])
    assert looked(root, now).points["gone"] == plan.points["gone"], "what was found is gone on with"
    begin_refresh(root, NAME, settings_for(root, now), if_begun="anew")
    anew = looked(root, now)
    check_plan(root, anew)
    assert anew.rounds[0].name == f"{NAME}.r2"
    assert anew.points["gone"] < plan.points["gone"]
