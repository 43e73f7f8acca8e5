"""The whole way from points to pictures, against a real server."""

import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import geopandas as gpd
import pandas as pd
import pytest
from aiohttp import web

from geolocate.collection import (
    Pace,
    assign_panoramas,
    collect,
    fetch_shard,
    find_shard,
    finish_collection,
    start_collection,
    validate_collection,
)
from geolocate.errors import CollectionError, PlanError, ProviderError, StorageError
from geolocate.manifest import read_manifest
from geolocate.storage import DataRoot
from tests.collection.conftest import KEY, SECRET
from tests.collection.stand_in import flat_jpeg, jpeg, pano_at, plan_of, running_stand_in


def outcomes(root, name="c") -> pd.DataFrame:
    return pd.read_parquet(root.collection(name) / "outcomes.parquet")


def test_every_point_ends_once_and_every_image_is_a_row(root, server, request_for):
    summary = collect(root, request_for(), plan_of(20, shards=3))
    rows = read_manifest(root.collection("c") / "manifest")
    assert summary.statuses == {"complete": 20}
    assert (summary.points, summary.panoramas, summary.images, len(rows)) == (20, 20, 60, 60)
    assert (summary.metadata_requests, summary.image_requests) == (20, 60) == (len(server.metadata), len(server.images))
    assert summary.price_usd == pytest.approx(60 * 0.007)
    assert set(rows["country"]) == {"GB"}
    assert set(rows["world"]) == {"emulated"}
    assert set(rows["license"]) == {"CC0-1.0"}
    assert (rows["snap_m"] < 50).all()
    assert validate_collection(root, "c").ok


def test_a_second_run_and_another_collection_ask_for_nothing(root, server, request_for):
    plan = plan_of(10, shards=2)
    collect(root, request_for(), plan)
    before = server.requests
    again = collect(root, request_for(), plan)
    other = collect(root, request_for("other"), plan)
    assert server.requests == before
    assert (again.run_metadata_requests, again.run_image_requests) == (0, 0)
    assert (other.run_metadata_requests, other.run_image_requests, other.price_usd) == (0, 0, 0.0)
    assert other.images == again.images == 30


def test_a_finished_collection_needs_no_server(root, request_for):
    request = request_for()
    with running_stand_in() as server:
        settings = request.settings.model_copy(update={"street_view_url": server.url})
        request = dataclasses.replace(request, settings=settings)
        collect(root, request, plan_of(4))
    assert collect(root, request, plan_of(4)).images == 12


def test_a_redraw_replaces_a_miss_and_is_deterministic(root, tmp_path, server, request_for):
    plan = plan_of(12)
    barren = {f"{lat:.7f},{lon:.7f}" for lat, lon in plan[plan["draw"] == 0][["lat", "lon"]].values[::2]}

    def nothing_there(request):
        empty = web.json_response({"status": "ZERO_RESULTS"})
        return empty if request.query["location"] in barren else None

    server.on_metadata = nothing_there
    collect(root, request_for(), plan)
    rows = outcomes(root)
    assert set(rows["status"]) == {"complete"}
    assert list(rows["draws"]) == [2, 1] * 6
    assert json.loads(rows["misses"][0]) == ["no_imagery"]
    elsewhere = DataRoot(tmp_path / "elsewhere")
    collect(elsewhere, request_for(), plan)
    pd.testing.assert_frame_equal(rows, outcomes(elsewhere))


def test_each_reason_against_a_panorama_has_its_name(root, server, request_for):
    plan = plan_of(5, draws=1)
    places = [f"{lat:.7f},{lon:.7f}" for lat, lon in plan[["lat", "lon"]].values]
    plan.loc[3, ["lat", "lon"]] = [50.95, 1.9]  # Calais lies across the Channel

    def odd(request):
        lat, lon = (float(part) for part in request.query["location"].split(","))
        answer = {"status": "OK", "pano_id": pano_at(lat, lon), "copyright": "© Google"}
        place = request.query["location"]
        if place == places[0]:
            return web.json_response({**answer, "location": {"lat": 47.6, "lng": -122.3}})
        if place == places[1]:
            return web.json_response({**answer, "location": {"lat": lat, "lng": lon}, "copyright": "© Ann Example"})
        if place == places[2]:
            foreign = "CIHM0ogKEICAgICE" + "x" * 20
            return web.json_response({**answer, "location": {"lat": lat, "lng": lon}, "pano_id": foreign})
        return None

    server.on_metadata = odd
    collect(root, request_for(), plan)
    assert list(outcomes(root)["status"]) == ["too_far", "wrong_provider", "wrong_provider", "outside", "complete"]
    assert len(server.images) == 3


def test_a_shared_panorama_is_bought_once_also_across_shards(root, server, request_for):
    plan = plan_of(4, shards=2, draws=1)
    # Both pairs lie within a few metres; the second point of each pair lies nearer to the panorama.
    plan.loc[:, "lat"] = [51.50003, 51.50001, 51.50002, 51.5]
    plan.loc[:, "lon"] = -0.1
    summary = collect(root, request_for(), plan)
    assert summary.statuses == {"complete": 1, "duplicate": 3}
    assert len(server.images) == 3
    assert outcomes(root).set_index("point_id")["status"]["p0002"] == "complete"


def test_the_budget_is_never_exceeded_and_more_money_goes_on(root, server, request_for):
    plan = plan_of(8, shards=2)
    first = collect(root, request_for(budget_usd=0.070), plan)
    assert len(server.images) == 10
    assert first.price_usd == pytest.approx(0.070)
    assert first.statuses["over_budget"] + first.statuses["complete"] + first.statuses.get("partial", 0) == 8
    assert first.reasons == {"over_budget": 14}
    again = collect(root, request_for(budget_usd=0.070), plan)
    assert again.run_image_requests == 0
    richer = collect(root, request_for(max_images=24), plan)
    assert richer.statuses == {"complete": 8}
    assert richer.run_image_requests == 14


def test_two_processes_share_one_cap(root, server, request_for):
    """Shards are fetched by separate workers; the cap belongs to the collection."""
    plan = plan_of(16, shards=2)
    request = request_for(max_images=20)
    start_collection(root, "c", plan, request)
    for shard in (0, 1):
        find_shard(root, request, shard)
    assign_panoramas(root, request)
    script = (
        "import sys, pathlib\n"
        "from geolocate.collection import CollectRequest, Pace, fetch_shard\n"
        "from geolocate.settings import Settings\n"
        "from geolocate.storage import DataRoot\n"
        "from tests.collection.conftest import VIEWS, KEY, SECRET\n"
        "settings = Settings(_env_file=None, street_view_url=sys.argv[2], world='emulated', google_key=KEY,"
        " google_signing_secret=SECRET)\n"
        "request = CollectRequest('c', settings, 'uk', views=VIEWS, max_images=20)\n"
        "fetch_shard(DataRoot(pathlib.Path(sys.argv[1])), request, int(sys.argv[3]))\n"
    )
    command = [sys.executable, "-c", script, str(root.path), server.url]
    workers = [subprocess.Popen([*command, str(shard)]) for shard in (0, 1)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0]
    assert len(server.images) == 20
    assert finish_collection(root, "c").image_requests == 20


def test_a_wrong_key_costs_a_handful_of_requests_and_leaves_no_trace_of_it(root, server, request_for, caplog):
    caplog.set_level("DEBUG")
    server.on_metadata = lambda request: web.json_response(
        {"status": "REQUEST_DENIED", "error_message": f"The provided API key {request.query['key']} is invalid."}
    )
    plan = plan_of(50)
    with pytest.raises(ProviderError, match="GOOGLE_MAPS_API_KEY") as caught:
        collect(root, request_for(), plan)
    assert len(server.metadata) <= 5
    assert KEY not in str(caught.value) + caplog.text
    server.on_metadata = lambda request: None
    assert collect(root, request_for(), plan).statuses == {"complete": 50}


def test_images_that_are_refused_are_not_paid(root, server, request_for):
    server.on_image = lambda request: web.Response(status=403, text="This API project is not authorized.")
    with pytest.raises(ProviderError, match="refuses"):
        collect(root, request_for(), plan_of(30))
    summary = finish_collection(root, "c")
    assert summary.statuses == {"refused": 30}
    assert (len(server.images), summary.price_usd) == (4, 0.0)


def test_a_used_up_quota_pauses_everybody(root, server, request_for):
    asked = Counter()

    def quota(request):
        asked["metadata"] += 1
        return web.json_response({"status": "OVER_QUERY_LIMIT"}) if 5 <= asked["metadata"] <= 7 else None

    def too_many(request):
        asked["images"] += 1
        return web.Response(status=429, headers={"Retry-After": "36000"}) if asked["images"] == 9 else None

    server.on_metadata, server.on_image = quota, too_many
    summary = collect(root, request_for(), plan_of(10))
    assert summary.statuses == {"complete": 10}
    assert summary.image_requests == 30
    assert summary.metadata_requests == len(server.metadata)
    assert summary.seconds < 20


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (lambda: web.Response(status=404), "not_found", 1),
        (lambda: web.Response(body=b"", content_type="image/jpeg"), "empty", 2),
        (lambda: web.Response(text="<html>busy</html>", content_type="text/html"), "html", 2),
        (lambda: web.Response(body=b"\x89PNG....", content_type="image/png"), "wrong_type", 2),
        (lambda: web.Response(body=jpeg(64)[:-200], content_type="image/jpeg"), "truncated", 2),
        (lambda: web.Response(body=jpeg(63), content_type="image/jpeg"), "wrong_size", 1),
        (lambda: web.Response(body=flat_jpeg((228, 227, 223)), content_type="image/jpeg"), "grey_picture", 1),
        (lambda: web.Response(body=flat_jpeg((200, 30, 30)), content_type="image/jpeg"), "error_picture", 2),
        (lambda: web.Response(status=500, text="oops"), "unreachable", 5),
    ],
)
def test_what_is_no_picture_is_a_named_reason(root, server, request_for, answer, reason, requests):
    server.on_image = lambda request: answer() if request.query["heading"] == "90" else None
    summary = collect(root, request_for(), plan_of(1))
    assert summary.statuses == {"partial": 1}
    assert json.loads(outcomes(root)["reasons"][0]) == {"90": reason}
    assert len(read_manifest(root.collection("c") / "manifest")) == 2
    assert sum(image["heading"] == "90" for image in server.images) == requests
    assert validate_collection(root, "c").ok
    server.on_image = lambda request: None
    again = collect(root, request_for(), plan_of(1))
    assert again.run_image_requests == (0 if reason in ("not_found", "wrong_size", "grey_picture") else 1)


def test_the_key_and_signature_are_in_nothing_that_a_run_leaves_behind(root, server, request_for, caplog):
    caplog.set_level("DEBUG")
    collect(root, request_for(), plan_of(6))
    signatures = [query["signature"] for query in server.metadata + server.images]
    assert len(signatures) == 24
    left = b"".join(path.read_bytes() for path in root.path.rglob("*") if path.is_file()) + caplog.text.encode()
    for secret in (KEY, SECRET, *signatures, "signature="):
        assert secret.encode() not in left


def test_a_server_that_dies_is_one_line_without_the_key(root, server, request_for):
    request = request_for(pace=Pace(per_second=2000, first_pause_s=0.001, longest_pause_s=0.01, attempts=3, failures=9))

    def die(request):
        request.transport.abort()
        return web.Response()

    server.on_image = die
    with pytest.raises(ProviderError) as caught:
        collect(root, request, plan_of(10))
    assert "cannot be reached" in str(caught.value)
    assert KEY not in str(caught.value)
    server.on_image = lambda request: None
    assert collect(root, request, plan_of(10)).statuses == {"complete": 10}


def test_points_that_nobody_answered_are_failed_and_not_refused(root, server, request_for):
    server.on_metadata = lambda request: web.Response(status=500)
    request = request_for(pace=Pace(per_second=2000, first_pause_s=0.01, longest_pause_s=0.05, failures=5))
    with pytest.raises(ProviderError, match="500"):
        collect(root, request, plan_of(3))
    assert set(pd.read_parquet(root.collection("c") / "found" / "00000.parquet")["status"]) == {"failed"}


def test_nobody_there_says_to_run_the_emulator(root, request_for):
    request = request_for()
    gone = request.settings.model_copy(update={"street_view_url": "http://127.0.0.1:9"})
    with pytest.raises(ProviderError, match="geolocate emulator"):
        collect(root, dataclasses.replace(request, settings=gone), plan_of(1))


def test_a_killed_run_loses_at_most_the_requests_under_way(root, server, request_for):
    server.delay_s = 0.02
    script = (
        "import sys, pathlib\n"
        "from geolocate.collection import CollectRequest, collect\n"
        "from geolocate.settings import Settings\n"
        "from geolocate.storage import DataRoot\n"
        "from tests.collection.conftest import VIEWS, KEY, SECRET\n"
        "from tests.collection.stand_in import plan_of\n"
        "settings = Settings(_env_file=None, street_view_url=sys.argv[2], world='emulated', google_key=KEY,"
        " google_signing_secret=SECRET)\n"
        "request = CollectRequest('c', settings, 'uk', views=VIEWS, concurrency=8)\n"
        "collect(DataRoot(pathlib.Path(sys.argv[1])), request, plan_of(60, shards=2))\n"
    )
    plan = plan_of(60, shards=2)
    for images in (20, 90):
        with subprocess.Popen([sys.executable, "-c", script, str(root.path), server.url]) as run:
            deadline = time.monotonic() + 60
            while len(server.images) < images and time.monotonic() < deadline:
                time.sleep(0.005)
            os.kill(run.pid, signal.SIGKILL)
    server.delay_s = 0.0
    summary = collect(root, request_for(concurrency=8), plan)
    assert summary.statuses == {"complete": 60}
    assert len(server.metadata) == 60
    # Eight under way at each of the two kills.
    assert 180 <= len(server.images) <= 180 + 16
    assert summary.unsettled <= 16
    assert summary.image_requests - summary.unsettled <= len(server.images)
    times = Counter((image["pano"], image["heading"]) for image in server.images)
    assert sum(count - 1 for count in times.values()) <= 16
    assert validate_collection(root, "c").ok


def test_a_lost_or_altered_file_is_noticed_and_mended(root, server, request_for):
    plan = plan_of(3)
    collect(root, request_for(), plan)
    rows = read_manifest(root.collection("c") / "manifest")
    path = root.image(rows["sha256"][0])
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    report = validate_collection(root, "c")
    assert not report.ok
    with pytest.raises(CollectionError, match="not what the manifest says"):
        report.raise_if_broken()
    path.unlink()
    assert collect(root, request_for(), plan).run_image_requests == 1
    assert validate_collection(root, "c").ok


def test_a_cut_file_is_paid_for_once_and_not_in_every_run(root, request_for):
    plan = plan_of(3)
    collect(root, request_for(), plan)
    path = root.image(read_manifest(root.collection("c") / "manifest")["sha256"][0])
    path.write_bytes(path.read_bytes()[:100])
    assert collect(root, request_for(), plan).run_image_requests == 1
    assert collect(root, request_for(), plan).run_image_requests == 0
    assert validate_collection(root, "c").ok


def test_a_lost_table_is_written_again_from_what_was_paid(root, request_for):
    plan = plan_of(3)
    collect(root, request_for(), plan)
    (root.collection("c") / "manifest" / "00000.parquet").unlink()
    assert collect(root, request_for(), plan).run_image_requests == 0
    assert validate_collection(root, "c").ok


def test_another_plan_under_the_same_name_is_refused(root, request_for):
    collect(root, request_for(), plan_of(2))
    with pytest.raises(CollectionError, match="another plan_hash"):
        collect(root, request_for(), plan_of(3))
    assert collect(root, request_for(), plan_of(3), if_exists="resume").points == 2


def test_unfinished_and_unknown_collections_say_so(root, request_for):
    start_collection(root, "c", plan_of(2), request_for())
    with pytest.raises(CollectionError, match="1 of 1 shards"):
        finish_collection(root, "c")
    with pytest.raises(CollectionError, match="there are c"):
        finish_collection(root, "other")
    with pytest.raises(CollectionError, match="the phase before"):
        fetch_shard(root, request_for(), 0)
    with pytest.raises(PlanError, match="group_id"):
        start_collection(root, "d", plan_of(2).drop(columns="group_id"), request_for())


def test_a_full_disk_is_one_line_and_loses_nothing(root, server, request_for):
    """A file size limit stands for the full disk: the system refuses the write in the same way."""
    script = (
        "import resource, sys, pathlib, signal\n"
        "from geolocate.collection import CollectRequest, collect\n"
        "from geolocate.errors import StorageError\n"
        "from geolocate.settings import Settings\n"
        "from geolocate.storage import DataRoot\n"
        "from tests.collection.conftest import VIEWS, KEY, SECRET\n"
        "from tests.collection.stand_in import plan_of\n"
        "settings = Settings(_env_file=None, street_view_url=sys.argv[2], world='emulated', google_key=KEY,"
        " google_signing_secret=SECRET)\n"
        "request = CollectRequest('c', settings, 'uk', views=VIEWS)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "try:\n"
        "    collect(DataRoot(pathlib.Path(sys.argv[1])), request, plan_of(80))\n"
        "except StorageError as error:\n"
        "    print(error)\n"
        "    raise SystemExit(3)\n"
    )
    command = [sys.executable, "-c", script, str(root.path), server.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 3, run.stderr
    assert run.stdout.startswith("cannot write ")
    assert run.stdout.count("\n") == 1
    assert collect(root, request_for(), plan_of(80)).statuses == {"complete": 80}
    assert validate_collection(root, "c").ok


def test_a_file_that_is_no_ledger_is_one_line(root, request_for):
    root.ledger.parent.mkdir(parents=True)
    root.ledger.write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(StorageError, match="is no ledger"):
        collect(root, request_for(), plan_of(1))


def test_the_manifest_is_read_by_pandas_geopandas_and_duckdb(root, request_for):
    duckdb = pytest.importorskip("duckdb")
    collect(root, request_for(), plan_of(4, shards=2))
    folder = root.collection("c") / "manifest"
    assert len(pd.read_parquet(folder)) == 12
    assert gpd.read_parquet(folder / "00000.parquet").crs.is_geographic
    assert duckdb.sql(f"SELECT count(DISTINCT image_id) FROM '{folder}/*.parquet'").fetchall() == [(12,)]


def test_the_ledger_reconciles_with_what_the_server_saw(root, server, request_for):
    asked = Counter()

    def sometimes(request):
        asked["images"] += 1
        return web.Response(status=500) if asked["images"] % 7 == 3 else None

    server.on_image = sometimes
    summary = collect(root, request_for(), plan_of(12))
    with sqlite3.connect(root.ledger) as ledger:
        charges = dict(ledger.execute("SELECT state, COUNT(*) FROM charges GROUP BY state").fetchall())
        paid = ledger.execute("SELECT SUM(micro_usd) FROM charges").fetchone()[0]
    assert charges["billed"] == 36 == summary.image_requests
    assert charges["billed"] + charges["free"] == len(server.images)
    assert paid == 36 * 7000


def zero_the_middle(path):
    body = path.read_bytes()
    middle = len(body) // 2
    path.write_bytes(body[:middle] + bytes(20) + body[middle + 20 :])


@pytest.mark.parametrize(("verify", "fetched"), [("none", 0), ("size", 1), ("hash", 2)])
def test_a_rerun_looks_as_far_into_the_pictures_as_it_is_told(root, request_for, caplog, verify, fetched):
    """One file is cut and another is zeroed in its middle, which a decode would accept."""
    plan = plan_of(3)
    collect(root, request_for(), plan)
    cut, zeroed = (root.image(sha256) for sha256 in read_manifest(root.collection("c") / "manifest")["sha256"][:2])
    cut.write_bytes(cut.read_bytes()[:100])
    zero_the_middle(zeroed)
    assert collect(root, request_for(verify=verify), plan).run_image_requests == fetched
    assert caplog.text.count("asking for it again") == fetched
    state = json.loads((root.collection("c") / "outcomes" / "00000.json").read_text())
    assert state["report"]["replaced"] == fetched
    assert validate_collection(root, "c").ok == (fetched == 2)
