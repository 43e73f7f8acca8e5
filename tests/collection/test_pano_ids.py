"""A collection passed on as panorama IDs, and fetched again from them."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from geolocate.collection import collect, validate_collection
from geolocate.collection.estimate import estimate
from geolocate.collection.importing import ImportOrder, import_folder, owner_rights
from geolocate.collection.pano_ids import export_ids, plan_of_ids
from geolocate.errors import CollectionError, PlanError
from geolocate.manifest import read_manifest
from geolocate.storage import DataRoot
from tests.collection.stand_in import pano_at, plan_of
from tests.providers.test_folder import photo_with_gps

PLAN = plan_of(6, draws=1)
SPOTS = {pano_at(point.lat, point.lon): (round(point.lat, 4), round(point.lon, 4)) for point in PLAN.itertuples()}


def by_id(changed=(), gone=()):
    """Metadata by panorama ID, as the API answers them."""

    def answer(request):
        pano = request.query.get("pano")
        if pano is None:
            return None
        if pano in gone:
            return web.json_response({"status": "ZERO_RESULTS"})
        lat, lon = SPOTS[pano]
        now = "x" * 22 if pano in changed else pano
        return web.json_response(
            {"status": "OK", "pano_id": now, "location": {"lat": lat, "lng": lon}, "copyright": "© Google"}
        )

    return answer


@pytest.fixture
def exported(root, request_for, tmp_path):
    """The IDs of a collection, and another person's empty data root."""
    collect(root, request_for("mine"), PLAN)
    assert export_ids(root, "mine", tmp_path / "ids.parquet") == 18
    return tmp_path / "ids.parquet", DataRoot(tmp_path / "theirs")


def wanted(path, request, region="uk"):
    return plan_of_ids(path, region, request.settings)


def test_the_file_has_ids_and_views_and_neither_pixels_nor_the_panorama_s_position(exported, root):
    path, _ = exported
    rows = pd.read_parquet(path)
    assert not {"lat", "lon", "sha256", "captured", "geometry"} & set(rows.columns)
    assert set(rows["source_id"]) == set(SPOTS)
    assert {"heading", "pitch", "fov", "width", "height", "point_id", "group_id"} <= set(rows.columns)
    asked = PLAN.set_index("point_id")
    assert list(rows["requested_lat"]) == list(asked.loc[rows["point_id"], "lat"])
    export_ids(root, "mine", path, hashes=True)
    assert set(pd.read_parquet(path)["sha256"]) == set(read_manifest(root.collection("mine") / "manifest")["sha256"])


def test_another_person_fetches_the_same_pictures_from_it(exported, root, server, request_for):
    path, theirs = exported
    server.on_metadata = by_id()
    server.metadata.clear()
    order = wanted(path, request_for("again"))
    summary = collect(theirs, request_for("again", views=order.views), order.plan)
    assert (summary.statuses, summary.images) == ({"complete": 6}, 18)
    assert {query["pano"] for query in server.metadata} == set(SPOTS)
    assert all("location" not in query for query in server.metadata)
    mine, got = (
        read_manifest(place.collection(name) / "manifest") for place, name in ((root, "mine"), (theirs, "again"))
    )
    columns = ["lat", "lon", "requested_lat", "requested_lon", "point_id", "group_id", "sha256"]
    mine, got = (pd.DataFrame(frame).set_index("image_id").sort_index()[columns] for frame in (mine, got))
    pd.testing.assert_frame_equal(mine, got)
    assert validate_collection(theirs, "again").ok


def test_in_the_root_that_has_them_nothing_is_bought(exported, root, server, request_for):
    path, _ = exported
    server.on_metadata = by_id()
    before = len(server.images)
    order = wanted(path, request_for("again"))
    summary = collect(root, request_for("again", views=order.views), order.plan)
    assert (summary.images, len(server.images)) == (18, before)


def test_ids_that_changed_or_vanished_are_outcomes_and_are_not_paid(exported, server, request_for):
    path, theirs = exported
    changed, gone, *_ = SPOTS
    server.on_metadata = by_id({changed}, {gone})
    server.images.clear()
    order = wanted(path, request_for("again"))
    summary = collect(theirs, request_for("again", views=order.views), order.plan)
    assert summary.statuses == {"complete": 4, "no_imagery": 2}
    assert summary.reasons == {"not_found": 2}
    assert not {changed, gone, "x" * 22} & {query["pano"] for query in server.images}


def test_a_panorama_that_moved_away_from_where_it_was_asked_for_is_too_far(exported, server, request_for):
    path, theirs = exported
    rows = pd.read_parquet(path)
    first = rows["source_id"].iloc[0]
    order = wanted(path, request_for("again"))
    order.plan.loc[order.plan["source_id"] == first, "lat"] += 0.01
    server.on_metadata = by_id()
    summary = collect(theirs, request_for("again", views=order.views), order.plan)
    assert summary.statuses == {"complete": 5, "too_far": 1}


def test_a_position_that_was_read_off_stays_behind_and_the_panorama_is_found_without(
    exported, root, server, request_for
):
    path, theirs = exported
    on_the_spot = PLAN.assign(lat=[lat for lat, _ in SPOTS.values()], lon=[lon for _, lon in SPOTS.values()])
    collect(root, request_for("spots"), on_the_spot)
    export_ids(root, "spots", path)
    assert pd.read_parquet(path)["requested_lat"].isna().all()
    server.on_metadata = by_id()
    order = wanted(path, request_for("again"))
    summary = collect(theirs, request_for("again", views=order.views), order.plan)
    assert summary.statuses == {"complete": 6}
    assert set(read_manifest(theirs.collection("again") / "manifest")["snap_m"]) == {0.0}
    assert validate_collection(theirs, "again").ok


def test_what_cannot_be_fetched_from_is_told(exported, root, request_for, tmp_path):
    path, _ = exported
    request = request_for()
    with pytest.raises(PlanError, match="say --region uk"):
        wanted(path, request, "us")
    with pytest.raises(PlanError, match="emulated world"):
        plan_of_ids(path, "uk", request.settings.model_copy(update={"street_view_url": "https://maps.googleapis.com"}))
    with pytest.raises(PlanError, match="the provider is panoramax"):
        plan_of_ids(path, "uk", request.settings.model_copy(update={"provider": "panoramax"}))
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)
    with pytest.raises(PlanError, match="no file of data export-ids"):
        wanted(path, request)
    with pytest.raises(PlanError, match="cannot be read"):
        wanted(tmp_path / "nowhere.parquet", request)
    photo_with_gps(tmp_path / "photos" / "a.jpg")
    import_folder(root, "photos", ImportOrder(tmp_path / "photos", "uk", owner_rights("CC0-1.0", "Ann", "own")))
    with pytest.raises(CollectionError, match="photographs of a folder"):
        export_ids(root, "photos", path)


def test_exactly_the_pictures_of_the_file_are_planned_and_bought(exported, server, request_for):
    """Each panorama was photographed in a direction of its own, as exports of other programs are."""
    path, theirs = exported
    table = pq.read_table(path)
    rows = table.to_pandas().drop_duplicates("source_id").reset_index(drop=True)
    rows["heading"] = rows.index * 7.0
    pq.write_table(
        pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(table.schema.metadata), path
    )
    server.on_metadata = by_id()
    server.images.clear()
    order = wanted(path, request_for("again"))
    request = request_for("again", views=order.views)
    priced = estimate(order.plan, theirs, request.settings, "uk", order.views)
    assert (priced.image_requests_expected, priced.image_requests_at_most) == (6, 6)
    summary = collect(theirs, request, order.plan)
    assert (summary.statuses, summary.images, len(server.images)) == ({"complete": 6}, 6, 6)
    asked = {(query["pano"], float(query["heading"])) for query in server.images}
    assert asked == set(zip(rows["source_id"], rows["heading"], strict=True))
    assert validate_collection(theirs, "again").ok
    assert collect(theirs, request, order.plan).run_image_requests == 0
    again = estimate(order.plan, theirs, request.settings, "uk", order.views)
    assert (again.images_known, again.image_requests_at_most) == (6, 0)
