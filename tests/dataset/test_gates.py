"""A dataset that is worse than its region allows is not published, and the rows that it is worse by are told."""

import numpy as np
import pandas as pd
import pytest

from geolocate.dataset.changes import Changes
from geolocate.dataset.gates import COLUMNS, Candidate, GateError, check_gates
from geolocate.dataset.quality import REASONS
from geolocate.errors import RegionError
from geolocate.geography.regions import Gates, load_region

IMAGES = 200


def region(**gates):
    return load_region("uk").model_copy(update={"gates": Gates(**gates)})


def candidate(grey: int = 0, gone: int = 0) -> Candidate:
    """So many grey images of 200, and so many of 50 places gone."""
    names = [f"image-{number}" for number in range(IMAGES)]
    rows = pd.DataFrame(
        {
            "image_id": names,
            "panorama_id": names,
            "class_name": "Leeds",
            "lat": 53.8,
            "lon": np.linspace(-1.6, -1.5, 200),
        }
    )
    quality = pd.DataFrame({"image_id": names, **dict.fromkeys(REASONS, False)})
    quality.loc[: grey - 1, "near_grey"] = grey > 0
    fates = ["gone"] * gone + ["unchanged"] * (50 - gone) + ["added"] * 7
    places = pd.DataFrame({"panorama_id": names[: len(fates)], "class_id": "1", "fate": fates})
    return Candidate("towns@abc", rows, quality, Changes(places.assign(class_name="Leeds", lat=53.8, lon=-1.5)))


@pytest.mark.parametrize(("grey", "gone"), [(0, 0), (4, 5)])
def test_at_the_threshold_it_is_published(grey, gone, tmp_path):
    check_gates(region(images={"near_grey": 0.02}, gone=0.1), candidate(grey, gone), tmp_path / "refused.csv")
    assert not list(tmp_path.iterdir())


def test_above_it_every_failing_row_is_told_and_kept(tmp_path):
    file = tmp_path / "refused.csv"
    with pytest.raises(
        GateError, match=r"5 of 200 images are flagged near_grey, 2.5% where 2.0%.*6 of 50 places"
    ) as end:
        check_gates(region(images={"near_grey": 0.02}, gone=0.1), candidate(5, 6), file)
    assert "\n" not in str(end.value)
    assert str(file) in str(end.value)
    assert end.value.rows["gate"].value_counts().to_dict() == {"gone": 6, "near_grey": 5}
    assert list(pd.read_csv(file).columns) == COLUMNS
    assert len(pd.read_csv(file)) == 11


def test_a_region_names_only_gates_that_there_are(tmp_path):
    with pytest.raises(RegionError, match="no gate grey in"):
        check_gates(region(images={"grey": 0.1}), candidate(), tmp_path / "refused.csv")


@pytest.mark.parametrize("name", ["uk", "us"])
def test_the_regions_that_travel_along_have_gates(name):
    gates = load_region(name).gates
    assert 0 < gates.gone < 1
    assert set(gates.images) <= set(REASONS)
