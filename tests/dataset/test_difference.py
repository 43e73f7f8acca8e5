"""What changed between two versions is told per image, per class and per part."""

import pandas as pd

from geolocate.dataset import open_dataset, publish
from geolocate.dataset.difference import FATES, compare_versions
from geolocate.manifest import read_manifest, write_manifest
from geolocate.manifest.tombstones import add_tombstones
from tests.dataset.published import request
from tests.dataset.scenes import scene, stored


def newest(root):
    return str(open_dataset(root, "cities").ref)


def test_a_version_does_not_differ_from_itself(cities):
    found = compare_versions(cities, "cities", "cities")
    assert found.totals == dict.fromkeys(FATES, 0) | {"same": 225}
    assert not found.settings
    assert not any(found.aspects.values())


def test_every_kind_of_change_is_found(own_cities):
    before = newest(own_cities)
    path = own_cities.collection("cities") / "manifest" / "00000.parquet"
    rows = pd.DataFrame(read_manifest(path).drop(columns="geometry")).sort_values("image_id", ignore_index=True)
    sha256, size = stored(own_cities, scene(999))
    rows.loc[0, ["sha256", "bytes"]] = sha256, size
    panorama = rows["source_id"] == rows["source_id"].iloc[10]
    rows.loc[panorama, "lat"] += 1e-4
    rows.loc[20, "license"] = "CC-BY-4.0"
    gone, forgotten, added = rows["image_id"][30], rows["image_id"][40], rows.loc[[50]].assign(image_id="f" * 24)
    rows = pd.concat([rows[rows["image_id"] != gone], added])
    write_manifest(rows, path)
    after = str(publish(own_cities, request()))
    add_tombstones(own_cities, [forgotten])
    found = compare_versions(own_cities, before, after)
    fates = found.images.set_index("image_id")["fate"]
    assert (fates[gone], fates[forgotten], fates["f" * 24]) == ("removed", "forgotten", "added")
    assert found.totals == {"added": 1, "removed": 1, "changed": 5, "forgotten": 1, "same": 218}
    assert (found.aspects["picture"], found.aspects["position"], found.aspects["rights"]) == (1, 3, 1)
    for what in ("class", "part"):
        assert found.by(what)[list(FATES)].sum().to_dict() == found.totals


def test_moved_labels_are_told_from_where_to_where(own_cities):
    before = newest(own_cities)
    overrides = own_cities.path / "overrides.csv"
    overrides.write_text("place_id,parent_id,reason\n2654675,2643743,Bristol is a suburb for once\n")
    after = str(publish(own_cities, request(suburb_overrides=overrides)))
    found = compare_versions(own_cities, before, after)
    moves = found.moves("class").set_index("before")
    assert moves.loc["Bristol", "after"] == "London"
    assert moves.loc["Bristol", "images"] == found.aspects["class"] > 0
    assert found.settings["suburb_overrides"] == (None, str(overrides))
    assert found.to_json()["class_moves"]
