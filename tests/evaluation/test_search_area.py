import json
import xml.etree.ElementTree as ET

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.errors import SettingsError, StorageError
from geolocate.evaluation.search_area import (
    LEVELS,
    area_to_search,
    cell_numbers,
    class_area_km2,
    ground_belief,
    lay_on_ground,
    recall_by_area,
    search_areas,
    search_cells,
    write_areas,
)
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.regions import load_region

CELL_KM = 50.0
#: Two training places of London, one each of Leeds and Glasgow.
LAT, LON = np.array([51.50, 51.52, 53.80, 55.86]), np.array([-0.12, -0.10, -1.55, -4.25])
CLASSES = np.array([0, 0, 1, 2])


@pytest.fixture(scope="module")
def uk():
    return load_region("uk")


@pytest.fixture(scope="module")
def ground(uk):
    return lay_on_ground(search_cells(uk, CELL_KM), (LAT, LON), CLASSES, 3, 20.0)


def _belief(ground, seed, places=3):
    return ground_belief(ground, np.random.default_rng(seed).dirichlet(np.full(3, 0.4), size=places))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_belief_is_of_one_whole_and_nothing_is_impossible(ground, seed):
    belief = _belief(ground, seed)
    assert belief.sum(axis=1) == pytest.approx(np.ones(3))
    assert (belief > 0).all()


def test_most_belief_lies_around_the_training_places_of_the_class(uk, ground):
    belief = ground_belief(ground, np.eye(3))
    home = cell_numbers(uk, CELL_KM, ground.cells, LAT[[0, 2, 3]], LON[[0, 2, 3]])
    assert (belief.argmax(axis=1) == home).all()


def test_neighbours_draw_belief_to_where_they_stand(uk, ground):
    leeds = cell_numbers(uk, CELL_KM, ground.cells, LAT[2:3], LON[2:3])[0]
    sure_of_london = np.array([[0.5, 0.0, 0.0]])
    near = np.array([[2, -1]]), np.array([[0.5, 0.0]])
    belief = ground_belief(ground, sure_of_london, near)
    assert belief.sum() == pytest.approx(1)
    assert belief[0, leeds] > 10 * ground_belief(ground, sure_of_london)[0, leeds]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.99), st.floats(0.05, 0.99))
def test_areas_only_grow_with_the_share_and_the_smaller_lies_in_the_larger(ground, seed, one, other):
    low, high = sorted((one, other))
    for small, large in search_areas(ground, _belief(ground, seed), {0.5: low, 0.9: high}):
        assert set(small.cell_ids) <= set(large.cell_ids)
        assert 0 < small.km2 <= large.km2


def test_an_area_is_the_densest_ground_that_is_reached_before_the_threshold(ground):
    belief = _belief(ground, 1, 1)
    (area,) = search_areas(ground, belief, {0.5: 0.5})[0]
    inside = ground.cells["cell_id"].isin(area.cell_ids).to_numpy()
    density = belief[0] / ground.area_km2
    assert density[inside].min() >= density[~inside].max()
    assert belief[0][inside].sum() <= 0.5 + 1e-9 or inside.sum() == 1


def test_the_whole_region_is_searched_where_nothing_less_can_be_promised(ground):
    (area,) = search_areas(ground, _belief(ground, 2, 1), {0.9: np.inf})[0]
    assert area.km2 == pytest.approx(ground.area_km2.sum())
    assert 230_000 < area.km2 < 250_000  # the United Kingdom's land


def test_what_has_to_be_searched_before_a_place_is_found(ground):
    belief = _belief(ground, 3, 1)
    order = np.argsort(-belief[0] / ground.area_km2)
    for rank in (0, 5, len(order) - 1):
        wanted = ground.area_km2[order[: rank + 1]].sum()
        assert area_to_search(ground, belief, order[rank : rank + 1])[0] == pytest.approx(wanted)
    assert area_to_search(ground, belief, np.array([-1]))[0] == np.inf


def test_recall_never_falls_as_the_area_grows():
    found = recall_by_area(np.array([10.0, 100.0, 1000.0, np.inf]), [10, 100, 1000, 1e6])
    assert [one["recall"] for one in found] == [0.25, 0.5, 0.75, 0.75]


def test_the_ground_of_classes_is_counted_once(uk, ground):
    alone = class_area_km2(ground, np.eye(3, dtype=bool))
    assert class_area_km2(ground, np.ones((1, 3), dtype=bool))[0] == pytest.approx(alone.sum())
    # Classes of which places stand in the same cell share it.
    shared = lay_on_ground(ground.cells, (LAT[:2], LON[:2]), np.array([0, 1]), 2, 20.0)
    areas = class_area_km2(shared, np.array([[True, False], [True, True]]))
    assert areas[0] == areas[1] > 0


def test_the_printed_km2_are_those_of_the_file_and_all_of_it_is_land(uk, ground, tmp_path):
    areas = search_areas(ground, _belief(ground, 4, 1), dict(zip(LEVELS, LEVELS, strict=True)))[0]
    write_areas(tmp_path / "out.geojson", uk, CELL_KM, areas, "run r, emulated world")
    frame = gpd.read_file(tmp_path / "out.geojson")
    assert frame["share"].tolist() == [0.9, 0.5]
    # Measured anew, on another equal-area projection of the ellipsoid than the one that the cells were cut in.
    measured = frame.to_crs("+proj=cea +lat_ts=54 +ellps=GRS80").area / 1e6
    assert measured.to_numpy() == pytest.approx(frame["km2"].to_numpy(), rel=0.005)
    assert frame["km2"].tolist() == pytest.approx([areas[1].km2, areas[0].km2], abs=0.1)
    inner = frame.geometry.representative_point()
    assert boundary_of(uk).contains(inner.y, inner.x).all()
    assert json.loads((tmp_path / "out.geojson").read_text())["type"] == "FeatureCollection"


def test_kml_is_what_a_globe_opens(uk, ground, tmp_path):
    areas = search_areas(ground, _belief(ground, 4, 1), {0.5: 0.5, 0.9: 0.9})[0]
    write_areas(tmp_path / "out.kml", uk, CELL_KM, areas, "run r, emulated world")
    text = (tmp_path / "out.kml").read_text()
    root = ET.fromstring(text)
    assert root.tag == "{http://www.opengis.net/kml/2.2}kml"
    names = [one.text for one in root.iter("{http://www.opengis.net/kml/2.2}name")]
    assert {"90% search area", "50% search area"} <= set(names)
    assert "emulated world" in text
    lon, lat = next(root.iter("{http://www.opengis.net/kml/2.2}coordinates")).text.split()[0].split(",")[:2]
    assert (49 < float(lat) < 61, -9 < float(lon) < 3) == (True, True)


def test_a_file_of_another_kind_or_no_folder_is_one_line(uk, ground, tmp_path):
    areas = search_areas(ground, _belief(ground, 4, 1), {0.5: 0.5})[0]
    with pytest.raises(SettingsError, match=r"out\.shp.*\.geojson, \.json, \.kml"):
        write_areas(tmp_path / "out.shp", uk, CELL_KM, areas, "run r")
    with pytest.raises(StorageError, match=r"nowhere/out\.kml") as refusal:
        write_areas(tmp_path / "nowhere" / "out.kml", uk, CELL_KM, areas, "run r")
    assert "\n" not in str(refusal.value)
