"""Pictures that are here already go the same way as everybody else's."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from google_streetview import api, helpers
from PIL import Image

from geolocate.collection import collect, validate_collection
from geolocate.collection.entries import ImageKey
from geolocate.collection.importing import (
    Declaration,
    ImportOrder,
    declared_rights,
    import_folder,
    owner_rights,
)
from geolocate.collection.ledger import Ledger
from geolocate.errors import ProviderError, RightsError
from geolocate.manifest import read_manifest
from geolocate.records import View
from tests.collection.stand_in import flat_jpeg, jpeg, plan_of
from tests.providers.test_equirectangular import middle_of_mark, sphere_with_mark
from tests.providers.test_folder import SPHERE, photo_with_gps

GREY = (0xE4, 0xE3, 0xDF)
PANOS = ("aaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbb")
OWN = owner_rights("CC-BY-4.0", "Ann Example", "own")
AGREED = declared_rights("google-streetview", Declaration(basis="agreement:X-1"))


@pytest.fixture
def photos(tmp_path):
    photo_with_gps(tmp_path / "photos" / "a.jpg", heading=270)
    photo_with_gps(tmp_path / "photos" / "b.jpg", lat=(53, 30, 0), lon=(2, 15, 0))
    photo_with_gps(tmp_path / "photos" / "paris.jpg", lat=(48, 51, 0), lon=(2, 21, 0), west=False)
    (tmp_path / "photos" / "copy.jpg").write_bytes((tmp_path / "photos" / "b.jpg").read_bytes())
    (tmp_path / "photos" / "unknown.jpg").write_bytes(jpeg(50))
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 and no more")
    return ImportOrder(tmp_path / "photos", "uk", OWN)


def rows_of(root, name):
    return read_manifest(root.collection(name) / "manifest")


def test_every_file_has_an_outcome_and_the_pictures_their_rights(root, photos):
    summary = import_folder(root, "mine", photos)
    assert summary.statuses == {"complete": 2, "no_imagery": 2, "outside": 1, "duplicate": 1}
    assert summary.reasons == {"no_position": 1, "truncated": 1}
    assert (summary.points, summary.world, summary.price_usd) == (6, "real", 0.0)
    rows = rows_of(root, "mine")
    assert set(rows["attribution"]) == {"Ann Example"}
    assert set(rows["rights_basis"]) == {"own"}
    assert set(rows["width"]) == {80}
    assert sorted(rows["heading"]) == [0.0, 270.0]
    assert validate_collection(root, "mine").ok


def test_a_second_import_reads_nothing_again(root, photos):
    import_folder(root, "mine", photos)
    again = import_folder(root, "mine", photos)
    assert (again.run_metadata_requests, again.run_image_requests) == (0, 0)


def test_two_photographs_of_one_spot_are_two_places_and_a_corrected_heading_counts(root, tmp_path):
    for name in ("a", "b"):
        photo_with_gps(tmp_path / "photos" / f"{name}.jpg", heading=10)
    order = ImportOrder(tmp_path / "photos", "uk", OWN)
    assert import_folder(root, "first", order).statuses == {"complete": 2}
    (tmp_path / "photos" / "positions.csv").write_text("file,lat,lon,heading\na.jpg,51.5,-0.1,200\n")
    import_folder(root, "second", order)
    assert sorted(rows_of(root, "second")["heading"]) == [10.0, 200.0]


def test_a_360_photograph_becomes_the_views_asked_for(root, tmp_path):
    ball = sphere_with_mark(90, 0, 77)
    noise = Image.effect_noise(ball.size, 40).convert("RGB")
    ball = Image.fromarray(np.maximum(ball, np.asarray(noise) // 4))
    photo_with_gps(tmp_path / "photos" / "a.jpg", picture=ball, xmp=SPHERE.format(pose=77, width=720))
    views = tuple(View(heading, 0.0, 60.0, 120, 90) for heading in (0.0, 90.0))
    import_folder(root, "round", ImportOrder(tmp_path / "photos", "uk", OWN, views=views))
    rows = rows_of(root, "round").set_index("heading")
    assert sorted(rows.index) == [0.0, 90.0]
    assert (set(rows["fov"]), set(rows["width"]), rows["panorama_id"].nunique()) == ({60.0}, {120}, 1)
    east = Image.open(root.image(rows.loc[90.0, "sha256"])).convert("L").point(lambda shine: 255 * (shine > 128))
    assert middle_of_mark(east) == pytest.approx((60, 45), abs=1.5)


def test_rights_must_be_said():
    with pytest.raises(RightsError, match="choose own"):
        owner_rights("CC-BY-4.0", "Ann", "found it somewhere")
    with pytest.raises(RightsError, match="attribution"):
        declared_rights("photos", Declaration("CC-BY-4.0"))
    with pytest.raises(ProviderError, match="unknown layout 'picasa': choose one of photos"):
        declared_rights("picasa", Declaration())


@pytest.mark.parametrize("layout", ["google-streetview", "geoguessr-lstm"])
@pytest.mark.parametrize("basis", [None, "own", "agreement:", "open-licence"])
def test_street_view_pictures_need_an_agreement(layout, basis, monkeypatch):
    monkeypatch.delenv("GEOLOCATE_GOOGLE_AGREEMENT", raising=False)
    with pytest.raises(RightsError, match="agreement with Google"):
        declared_rights(layout, Declaration("CC-BY-4.0", "me", basis))
    monkeypatch.setenv("GEOLOCATE_GOOGLE_AGREEMENT", "X-7")
    assert declared_rights(layout, Declaration()).rights_basis == "agreement:X-7"


def test_a_folder_without_any_position_says_what_to_do(root, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(jpeg(50))
    with pytest.raises(ProviderError, match=r"positions\.csv"):
        import_folder(root, "m", ImportOrder(tmp_path / "photos", "uk", OWN))


def batch(folder, panos, bodies, **extra):
    """A folder as google-streetview leaves it; a body of None: the package named a file and wrote none."""
    folder.mkdir(parents=True)
    metadata = []
    for number, (pano, body) in enumerate(zip(panos, bodies, strict=True)):
        if body is not None:
            (folder / f"gsv_{number}.jpg").write_bytes(body)
        spot = {"lat": 51.5 + PANOS.index(pano) / 100, "lng": -0.1}
        named = {"pano_id": pano, "location": spot, "date": "2021-07", "copyright": "© Google"}
        metadata.append({"status": "OK", "_file": f"gsv_{number}.jpg", **named})
    metadata.append({"status": "ZERO_RESULTS"})
    (folder / "metadata.json").write_text(json.dumps(metadata))
    for name, text in extra.items():
        (folder / f"{name}.txt").write_text(text)


def imported(root, folder, layout="google-streetview", headings=(0.0, 90.0, 180.0), name="old"):
    views = tuple(View(heading) for heading in headings)
    order = ImportOrder(folder, "uk", AGREED, layout, views=views, headings_told=bool(headings))
    return import_folder(root, name, order)


def test_google_streetview_batches_keep_ids_headings_months_and_are_never_bought_again(root, tmp_path):
    bodies = [jpeg(64, seed) for seed in range(6)]
    batch(tmp_path / "out" / "1", [PANOS[0]] * 3, bodies[:3])
    batch(tmp_path / "out" / "2", [PANOS[1]] * 3, bodies[3:])
    summary = imported(root, tmp_path / "out")
    assert summary.statuses == {"complete": 2, "no_imagery": 2}
    rows = rows_of(root, "old")
    assert set(rows["provider"]) == {"google"}
    assert set(rows["captured"]) == {"2021-07"}
    assert set(rows["rights_basis"]) == {"agreement:X-1"}
    assert set(rows["attribution"]) == {"© Google"}
    for pano in PANOS:
        assert sorted(rows.loc[rows["panorama_id"] == pano, "heading"]) == [0.0, 90.0, 180.0]
    with Ledger(root.ledger) as ledger:
        keys = [ImageKey("real", "google", pano, View(90.0, width=64, height=64)) for pano in PANOS]
        assert [ledger.image(key).state for key in keys] == ["kept", "kept"]
    assert validate_collection(root, "old").ok


def test_grey_and_missing_pictures_of_a_batch_are_outcomes_and_only_the_grey_one_is_final(root, tmp_path):
    batch(tmp_path / "out", [PANOS[0]] * 3, [jpeg(64), flat_jpeg(GREY), None])
    summary = imported(root, tmp_path / "out")
    assert summary.statuses == {"partial": 1, "no_imagery": 1}
    assert summary.reasons == {"grey_picture": 1, "empty": 1}
    with Ledger(root.ledger) as ledger:
        missing = ledger.image(ImageKey("real", "google", PANOS[0], View(180.0, width=640, height=640)))
    assert missing.state == "open"


def test_headings_come_from_the_links_and_no_key_goes_along(root, tmp_path):
    links = "".join(
        f"https://maps.googleapis.com/maps/api/streetview?pano={PANOS[0]}&size=64x64&heading={heading}&pitch=5&fov=75"
        "&key=AIzaSecretKey0123456789\n"
        for heading in (45, 135, 225)
    )
    batch(tmp_path / "out", [PANOS[0]] * 2, [jpeg(64, 1), jpeg(64, 2)], links=links)
    imported(root, tmp_path / "out", headings=(0.0,))
    rows = rows_of(root, "old")
    assert sorted(rows["heading"]) == [45.0, 135.0]
    assert (set(rows["pitch"]), set(rows["fov"])) == ({5.0}, {75.0})
    left = b"".join(path.read_bytes() for path in root.path.rglob("*") if path.is_file())
    assert b"AIzaSecretKey" not in left


def test_a_batch_that_does_not_say_where_it_looks_asks_for_it(root, tmp_path):
    batch(tmp_path / "out", [PANOS[0]], [jpeg(64)])
    order = ImportOrder(tmp_path / "out", "uk", AGREED, "google-streetview")
    with pytest.raises(ProviderError, match="--headings 0,90,180"):
        import_folder(root, "old", order)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProviderError, match=r"no metadata\.json"):
        imported(root, tmp_path / "empty")


def test_geoguessr_folders_are_places_with_headings_and_months(root, tmp_path):
    place = tmp_path / "data" / "155+52.4766,-1.8935"
    place.mkdir(parents=True)
    for seed, heading in enumerate((0, 90, 180)):
        (place / f"{heading}_2012-05.jpg").write_bytes(jpeg(64, seed))
    (place / "notes.jpg").write_bytes(jpeg(64, 9))
    summary = imported(root, tmp_path / "data", "geoguessr-lstm")
    assert summary.statuses == {"complete": 1, "no_imagery": 1}
    rows = rows_of(root, "old")
    assert sorted(rows["heading"]) == [0.0, 90.0, 180.0]
    assert (set(rows["captured"]), set(rows["group_id"])) == ({"2012-05"}, {"155"})
    assert (rows["panorama_id"].nunique(), set(rows["lat"]), set(rows["lon"])) == (1, {52.4766}, {-1.8935})


def test_what_google_streetview_downloads_from_an_endpoint_is_not_fetched_again(root, server, request_for, tmp_path):
    """The real package downloads; its folder is imported; a collection of the same pictures sends no image request."""
    plan = plan_of(3, draws=1)
    shared = {"size": "64x64", "heading": "0;90;180", "key": "AIzaSecretKey0123456789"}
    for number, point in enumerate(plan.itertuples()):
        asked = helpers.api_list({"location": f"{point.lat},{point.lon}", **shared})
        url = f"{server.url}/maps/api/streetview"
        got = api.results(asked, site_api=url, site_metadata=f"{url}/metadata")
        got.download_links(str(tmp_path / "out" / str(number)))
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setenv("GEOLOCATE_WORLD", "emulated")
        patch.setenv("GEOLOCATE_STREET_VIEW_URL", server.url)
        rights = declared_rights("google-streetview", Declaration())
        views = tuple(View(heading) for heading in (0.0, 90.0, 180.0))
        order = ImportOrder(tmp_path / "out", "uk", rights, "google-streetview", views=views, headings_told=True)
        summary = import_folder(root, "old", order)
    assert (summary.world, summary.images) == ("emulated", 9)
    before = len(server.images)
    again = collect(root, request_for("new"), plan)
    assert (again.images, again.run_image_requests, len(server.images)) == (9, 0, before)
    assert pd.read_parquet(root.collection("new") / "outcomes.parquet")["status"].tolist() == ["complete"] * 3
    assert Image.open(io.BytesIO(root.image(rows_of(root, "new")["sha256"][0]).read_bytes())).size == (64, 64)
