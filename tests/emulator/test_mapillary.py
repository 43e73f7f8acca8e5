"""Mapillary's API over the emulated world, asked over HTTP."""

import io
import json

import mapbox_vector_tile
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geolocate.emulator.config import EmulatorConfig
from geolocate.emulator.contributors import contributions_in_box
from geolocate.emulator.numbering import contribution_by_number, number_of
from tests.emulator.conftest import running

#: Bristol.
TILE = "/maps/vtp/mly1_public/2/14/8074/5451"
TOKEN = {"Authorization": "OAuth MLY|a|b"}
FIELDS = "computed_geometry,geometry,computed_compass_angle,compass_angle,is_pano,width,height,creator,sequence"


def shown(url):
    body = requests.get(f"{url}{TILE}?access_token=t", timeout=30).content
    return [one["properties"] for one in mapbox_vector_tile.decode(body)["image"]["features"]]


def told(url, ids, fields=FIELDS):
    query = {"image_ids": ",".join(str(one) for one in ids), "fields": fields}
    return requests.get(f"{url}/images", params=query, headers=TOKEN, timeout=60).json()["data"]


def counters(url):
    return requests.get(f"{url}/counters", timeout=10).json()


def test_a_tile_shows_a_town_and_the_entities_are_those_of_its_photographs(emulator):
    features = shown(emulator)
    assert len(features) > 300
    assert {"id", "captured_at", "compass_angle", "sequence_id", "is_pano", "creator_id"} <= set(features[0])
    assert 0 < sum(one["is_pano"] for one in features) < len(features) / 1.5
    ids = [one["id"] for one in features[:100]]
    entities = {int(one["id"]): one for one in told(emulator, ids)}
    # A few were deleted since; the others are as the tile says.
    assert 85 <= len(entities) < 100
    for one in features[:100]:
        if entity := entities.get(one["id"]):
            assert entity["is_pano"] == one["is_pano"]
            assert entity["sequence"] == one["sequence_id"]
            assert abs(entity["compass_angle"] - one["compass_angle"]) <= 0.5
    wrong = [
        abs((one["compass_angle"] - one["computed_compass_angle"] + 180) % 360 - 180)
        for one in entities.values()
        if "computed_compass_angle" in one
    ]
    assert sum(turn <= 5 for turn in wrong) > 0.8 * len(wrong)
    assert any(turn > 60 for turn in wrong)
    assert 0 < sum("computed_geometry" not in one for one in entities.values()) < 20


def test_the_same_seed_shows_the_same_photographs_and_another_seed_others(emulator):
    first = requests.get(f"{emulator}{TILE}?access_token=t", timeout=30).content
    with running(EmulatorConfig(port=0, processes=1)) as again, running(EmulatorConfig(port=0, seed=1)) as other:
        assert requests.get(f"{again}{TILE}?access_token=t", timeout=30).content == first
        assert not {one["id"] for one in shown(other)} & {one["id"] for one in shown(emulator)}


def test_thumbnails_have_the_originals_shape_and_need_no_token(emulator):
    features = shown(emulator)
    chosen = [next(one["id"] for one in features if one["is_pano"] is whole) for whole in (False, True)]
    for entity in told(emulator, chosen, "thumb_1024_url,width,height,is_pano"):
        answer = requests.get(entity["thumb_1024_url"], timeout=60)
        width, height = Image.open(io.BytesIO(answer.content)).size
        assert width == 1024
        assert height == round(1024 * entity["height"] / entity["width"])
        assert (width == 2 * height) == entity["is_pano"]


def test_an_address_that_has_expired_or_was_changed_is_refused():
    with running(EmulatorConfig(port=0, processes=1, thumbnail_seconds=-1)) as url:
        entities = told(url, [one["id"] for one in shown(url)[:20]], "thumb_1024_url")
        address = entities[0]["thumb_1024_url"]
        assert requests.get(address, timeout=10).status_code == 403
        assert "expired" in requests.get(address, timeout=10).text
        assert "hash" in requests.get(address.replace("oe=", "oe=9"), timeout=10).text
        assert counters(url)["mapillary_expired"] == 2


def test_without_a_token_that_is_allowed_nothing_is_answered():
    with running(EmulatorConfig(port=0, processes=1, keys=("good",))) as url:
        refused = [
            requests.get(f"{url}{TILE}", timeout=10),
            # A tile does not look at headers.
            requests.get(f"{url}{TILE}", headers={"Authorization": "OAuth good"}, timeout=10),
            requests.get(f"{url}/images?image_ids=1", headers={"Authorization": "OAuth bad"}, timeout=10),
        ]
        assert [one.status_code for one in refused] == [403, 403, 401]
        assert {one.json()["error"]["code"] for one in refused} == {190}
        assert requests.get(f"{url}{TILE}?access_token=good", timeout=30).status_code == 200
        assert counters(url)["mapillary_tiles_today"] == 1


def test_what_is_unknown_is_said_as_the_api_says_it(emulator):
    nobody = requests.get(f"{emulator}/1000000000000001?fields=id", headers=TOKEN, timeout=10)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (400, 100)
    assert told(emulator, [1000000000000001]) == []
    known = shown(emulator)[0]["id"]
    query = {"image_ids": known, "fields": "altitude_of_the_moon"}
    odd = requests.get(f"{emulator}/images", params=query, headers=TOKEN, timeout=10)
    assert "nonexisting field (altitude_of_the_moon)" in json.loads(odd.text)["error"]["message"]
    assert requests.get(f"{emulator}/maps/vtp/mly1_public/2/14/0/0?access_token=t", timeout=10).content == b""


@pytest.fixture(scope="module")
def contributions():
    return contributions_in_box(0, "mapillary", 51.45, -2.6, 51.46, -2.58)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_number_leads_back_to_its_photograph_under_its_own_seed_only(contributions, data):
    one = data.draw(st.sampled_from(contributions))
    number = number_of(0, one)
    assert len(str(number)) == 16
    assert contribution_by_number(0, "mapillary", number) == one
    assert contribution_by_number(1, "mapillary", number) is None
