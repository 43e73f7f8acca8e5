"""What is to be forgotten is chosen by id, place, ground, creator or expiry, and its holders are found."""

import numpy as np
import pandas as pd
import pytest
import shapely

from geolocate.dataset import open_dataset, publish
from geolocate.dataset.exporting import export_dataset
from geolocate.dataset.forgetting import Wanted, choose_victims, holders_of
from geolocate.errors import DatasetError
from geolocate.geography.distances import haversine_km
from geolocate.manifest import read_manifest, write_manifest
from geolocate.manifest.tombstones import Circle, Rules, remember_forgetting, without_forgotten
from tests.dataset.published import CITIES, PANORAMAS, request
from tests.dataset.test_lineage import run_of

LEEDS = CITIES["Leeds"]
AROUND_LEEDS = shapely.box(LEEDS[1] - 1, LEEDS[0] - 1, LEEDS[1] + 1, LEEDS[0] + 1)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(places=("2644688",)),
        Wanted(places=("g1",)),
        Wanted(rules=Rules(areas=(AROUND_LEEDS,))),
        Wanted(rules=Rules(circles=(Circle(*LEEDS, 100.0),))),
        Wanted(rules=Rules(creators=("Leeds",))),
    ],
    ids=["class", "what was looked for", "area", "circle", "creator"],
)
def test_a_whole_city_is_chosen_each_way(cities, wanted):
    frame = open_dataset(cities, "cities").frame
    leeds = frame[frame["creator"] == "Leeds"]
    victims = choose_victims(cities, wanted)
    assert victims.panoramas == set(leeds["source_id"])
    assert victims.images == set(leeds["image_id"])
    assert victims.sha256s == set(leeds["sha256"])
    assert len(victims.panoramas) == PANORAMAS


def test_the_nearest_place_of_a_region_is_a_place_too(cities):
    chosen = choose_victims(cities, Wanted(places=("2644688",), region="uk"))
    assert chosen.panoramas >= choose_victims(cities, Wanted(places=("2644688",))).panoramas


def test_one_image_one_panorama_and_either_by_name(cities):
    row = open_dataset(cities, "cities").frame.iloc[7]
    one = choose_victims(cities, Wanted(images=(row["image_id"],)))
    assert (one.panoramas, one.images, one.sha256s) == (set(), {row["image_id"]}, {row["sha256"]})
    whole = choose_victims(cities, Wanted(panoramas=(row["source_id"],)))
    assert (whole.panoramas, len(whole.images)) == ({row["source_id"]}, 3)
    assert choose_victims(cities, Wanted(names=(row["source_id"],))) == whole
    assert choose_victims(cities, Wanted(names=(row["image_id"],))) == one


def test_only_what_had_to_be_deleted_is_expired(own_cities):
    path = own_cities.collection("cities") / "manifest" / "00000.parquet"
    rows = pd.DataFrame(read_manifest(path).drop(columns="geometry"))
    rows.loc[:4, "retain_until"] = "2020-01-01"
    rows.loc[5:9, "retain_until"] = "2999-01-01"
    write_manifest(rows, path)
    assert choose_victims(own_cities, Wanted(expired=True)).images == set(rows["image_id"][:5])


def test_a_file_that_another_picture_needs_is_not_erased(own_cities):
    path = own_cities.collection("cities") / "manifest" / "00000.parquet"
    rows = pd.DataFrame(read_manifest(path).drop(columns="geometry"))
    write_manifest(rows.assign(sha256=[rows["sha256"][0], rows["sha256"][0], *rows["sha256"][2:]]), path)
    victims = choose_victims(own_cities, Wanted(images=(rows["image_id"][1],)))
    assert rows["sha256"][0] in victims.in_use


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(), "nothing is named"),
        (Wanted(region="uk"), "nothing is named"),
        (Wanted(names=("nonsense",)), "nothing is known under nonsense"),
        (Wanted(places=("0",)), "no picture is of 0"),
    ],
)
def test_what_is_not_there_is_one_line(cities, wanted, words):
    with pytest.raises(DatasetError, match=words) as caught:
        choose_victims(cities, wanted)
    assert "\n" not in str(caught.value)


def test_versions_runs_and_exports_that_hold_it_are_listed(own_cities, tmp_path):
    old = open_dataset(own_cities, "cities")
    run_of(own_cities, old.ref)
    export_dataset(own_cities, "cities", "csv", tmp_path / "csv", "none")
    publish(own_cities, request(level="cell"))
    row = old.rows("train").iloc[0]
    held = holders_of(own_cities, choose_victims(own_cities, Wanted(panoramas=(row["source_id"],))))
    assert {one.version: one.images for one in held.versions}[str(old.ref)] == 3
    assert [(one.run, one.learned, one.tested) for one in held.runs] == [("r1", 3, 0)]
    assert [one["folder"] for one in held.exports] == [str(tmp_path / "csv")]
    nobody = holders_of(own_cities, choose_victims(own_cities, Wanted(rules=Rules(circles=(Circle(0, 0, 1),)))))
    assert (nobody.versions, nobody.runs, nobody.exports) == ((), (), ())


def test_a_rule_holds_for_readers_from_the_moment_it_is_written(own_cities):
    before = open_dataset(own_cities, "cities").frame
    rules = Rules(areas=(AROUND_LEEDS,), creators=("Bristol",))
    remember_forgetting(own_cities, {"asked": {}, "rules": rules.to_json(), "reason": "", "since": "2026-01-01"})
    left = open_dataset(own_cities, "cities").frame
    assert set(left["creator"]) == {"London"}
    assert len(left) == len(before) // 3


@pytest.mark.parametrize("centre", [(51.5, -0.1), (0.0, 179.9), (89.9, 10.0)])
def test_a_circle_holds_what_is_within_its_radius(tmp_path, centre):
    rng = np.random.default_rng(0)
    lat = np.clip(centre[0] + rng.normal(0, 0.5, 2000), -90, 90)
    lon = (centre[1] + rng.normal(0, 0.5, 2000) + 180) % 360 - 180
    within = haversine_km(*centre, lat, lon) <= 30.0
    assert 0 < within.sum() < 2000
    covered = Rules(circles=(Circle(*centre, 30.0),)).cover(pd.DataFrame({"lat": lat, "lon": lon}))
    assert (covered == within).all()


def test_rows_without_positions_are_judged_by_what_they_have(own_cities):
    rules = Rules(circles=(Circle(*LEEDS, 100.0),), creators=("Bristol",))
    remember_forgetting(own_cities, {"asked": {}, "rules": rules.to_json(), "reason": "", "since": "2026-01-01"})
    rows = open_dataset(own_cities, "cities").frame[["image_id", "creator"]]
    assert len(without_forgotten(own_cities, rows)) == len(rows)
