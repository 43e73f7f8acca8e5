"""What a client of the emulated Panoramax sees over real HTTP."""

import io

import numpy as np
import pytest
import requests
from PIL import Image

from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.faults import parse_faults
from geolocate.geography.distances import haversine_km
from tests.emulator.conftest import running

BOX = (-0.123, 51.508, -0.117, 51.512)


def search(url, **query):
    answer = requests.get(f"{url}/api/search", params=query, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/geo+json"
    return answer.json()


def in_box(url, **query):
    return search(url, bbox=",".join(map(str, BOX)), limit=1000, **query)["features"]


def of_model(features, model):
    return [one for one in features if one["properties"]["pers:interior_orientation"]["camera_model"] == model]


def picture(item, size="sd"):
    answer = requests.get(item["assets"][size]["href"], timeout=60)
    assert answer.headers["Content-Type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.content))


def test_a_box_holds_what_lies_in_it_the_nearest_to_its_centre_first(emulator):
    found = in_box(emulator)
    lon, lat = np.array([one["geometry"]["coordinates"] for one in found]).T
    west, south, east, north = BOX
    assert len(found) > 20
    assert ((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)).all()
    off = np.hypot(lon - (west + east) / 2, lat - (south + north) / 2)
    assert (np.diff(off) >= 0).all()
    assert len({one["id"] for one in found}) == len(found)
    licences = {one["properties"]["license"] for one in found}
    assert licences <= {"CC-BY-SA-4.0", "etalab-2.0", "proprietary"}
    assert in_box(emulator) == found


def test_pages_lead_from_one_to_the_next_and_hold_everything_once(emulator):
    everything, page = [], search(emulator, bbox=",".join(map(str, BOX)), limit=17)
    while True:
        everything += page["features"]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            break
        page = requests.get(following[0], timeout=30).json()
    assert everything == in_box(emulator)


def test_an_id_finds_its_picture_again_and_an_unknown_one_nothing(emulator):
    for item in in_box(emulator)[::10]:
        assert search(emulator, ids=item["id"])["features"] == [item]
    several = [one["id"] for one in in_box(emulator)[:3]]
    listed = f'["{several[0]}","{several[1]}","{several[2]}"]'
    assert [one["id"] for one in search(emulator, ids=listed)["features"]] == several
    assert search(emulator, ids="6b3f8a1e-0000-4000-8000-000000000000")["features"] == []
    assert search(emulator, ids="none")["features"] == []


def test_a_search_by_place_leaves_out_flat_pictures_that_look_away(emulator):
    lat, lon = 51.51, -0.12
    found = search(
        emulator, place_position=f"{lon},{lat}", place_distance="0-150", place_fov_tolerance="60", limit=1000
    )["features"]
    assert found
    assert len(found) < len(in_box(emulator))
    for one in found:
        at_lon, at_lat = one["geometry"]["coordinates"]
        assert 1000 * haversine_km(lat, lon, at_lat, at_lon) <= 150
        facts = one["properties"]
        if facts["pers:interior_orientation"]["field_of_view"] < 360:
            east = (lon - at_lon) * np.cos(np.radians(lat))
            bearing = np.degrees(np.arctan2(east, lat - at_lat))
            assert abs((bearing - facts["view:azimuth"] + 180) % 360 - 180) <= 30


@pytest.mark.parametrize(
    "query",
    [{"bbox": "1,2,3"}, {"bbox": "3,51,2,52"}, {"bbox": "0,51,nan,52"}, {"bbox": "0,51,0.1,51.1", "limit": "0"}, {}],
)
def test_a_search_that_makes_no_sense_is_400(emulator, query):
    assert requests.get(f"{emulator}/api/search", params=query, timeout=30).status_code == 400


def test_flat_pictures_come_in_three_widths_and_the_shape_of_their_sensor(emulator):
    flat = of_model(in_box(emulator), "FP4")[0]
    assert picture(flat).size == (2048, 1536)
    assert picture(flat, "thumb").size == (500, 375)
    assert picture(flat, "hd").size == (4000, 3000)
    assert requests.get(flat["assets"]["sd"]["href"].replace("sd.jpg", "xl.jpg"), timeout=30).status_code == 404


def test_a_360_picture_is_a_sphere_whose_middle_looks_along_its_azimuth(emulator):
    """The same panorama's flat view at the azimuth, from Google's endpoint, shows the same as the sphere's middle."""
    whole = of_model(in_box(emulator), "Max")[0]
    sphere = picture(whole)
    assert sphere.size == (2048, 1024)
    lon, lat = whole["geometry"]["coordinates"]
    query = {"location": f"{lat},{lon}", "radius": "2", "size": "320x320", "fov": "30", "key": "any"}
    level = np.asarray(sphere.convert("RGB").resize((512, 256)), float)[235 // 2 : 277 // 2]

    def unlikeness(turn, off=0):
        """How much the view and the sphere differ in grey levels, the sphere looked at ``off`` degrees aside."""
        heading = str((whole["properties"]["view:azimuth"] + turn) % 360)
        answer = requests.get(f"{emulator}/maps/api/streetview", params={**query, "heading": heading}, timeout=60)
        view = Image.open(io.BytesIO(answer.content)).convert("RGB").resize((42, 42))
        middle = (256 + round((turn + off) / 360 * 512)) % 512
        part = np.roll(level, 256 - middle, axis=1)[:, 235:277]
        return np.abs(np.asarray(view, float)[10:31] - part).mean()

    for turn in (0, 90, 180, 270):
        assert unlikeness(turn) < min(unlikeness(turn, off) for off in (-15, 15)) / 2


def test_googles_counters_do_not_move_and_its_own_do(emulator):
    before = requests.get(f"{emulator}/counters", timeout=30).json()
    picture(in_box(emulator)[0], "thumb")
    after = requests.get(f"{emulator}/counters", timeout=30).json()
    assert [after[name] - before[name] for name in ("metadata", "billed", "images")] == [0, 0, 0]
    assert after["panoramax_searches"] == before.get("panoramax_searches", 0) + 1
    assert after["panoramax_pictures"] == before.get("panoramax_pictures", 0) + 1


def test_faults_befall_it_as_well():
    config = EmulatorConfig(port=0, processes=1, faults=parse_faults(["http_429=0.5", "http_503_later=0.5"]))
    with running(config) as url:
        answers = [requests.get(f"{url}/api/search", params={"ids": str(n)}, timeout=30) for n in range(20)]
        assert {answer.status_code for answer in answers} == {429, 503}
        assert requests.get(f"{url}/counters", timeout=30).json()["faults"] == 20
