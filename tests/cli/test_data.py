"""`geolocate data …` as a person types it."""

import json

import geopandas as gpd
import pytest

from tests.providers.test_folder import photo_with_gps


@pytest.fixture
def geolocate(command, tmp_path, emulator_url):
    """Run `geolocate data …` against the real emulator."""
    settings = {
        "GEOLOCATE_DATA": str(tmp_path / "data"),
        "GEOLOCATE_STREET_VIEW_URL": emulator_url,
        "GEOLOCATE_WORLD": "emulated",
        "GOOGLE_MAPS_API_KEY": "emulator",
    }

    def run(*words):
        code, printed = command(("data", *words), settings)
        assert code == 0, printed.err
        return printed.out

    return run


def test_collect_validate_and_collect_again(geolocate):
    collect = ("collect", "--name", "towns", "--top", "2", "--per-place", "3", "--json")
    summary = json.loads(geolocate(*collect))
    assert sum(summary["statuses"].values()) == summary["points"] == 6
    assert summary["images"] > 0
    assert summary["run_image_requests"] == summary["image_requests"]
    again = json.loads(geolocate(*collect))
    assert (again["run_metadata_requests"], again["run_image_requests"]) == (0, 0)
    assert "everything agrees" in geolocate("validate", "towns")


def test_a_plan_is_drawn_and_written(geolocate, tmp_path):
    words = ("plan", "--kind", "uniform", "--total", "50", "--json", "--map", "plan.png")
    assert json.loads(geolocate(*words, "--out", "plan.parquet"))["points"] == 50
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    geolocate(*words, "--out", "plan.geojson")
    plan = gpd.read_parquet(tmp_path / "plan.parquet")
    assert len(plan) == 200  # four draws a point
    assert (plan.geometry.y == plan["lat"]).all()
    points = json.loads((tmp_path / "plan.geojson").read_text())["features"]
    assert [point["geometry"]["coordinates"] for point in points] == plan[["lon", "lat"]].to_numpy().tolist()


def test_import_own_photographs(geolocate, tmp_path):
    photo_with_gps(tmp_path / "photos" / "a.jpg")
    rights = ("--license", "CC-BY-4.0", "--attribution", "Ann Example")
    summary = json.loads(geolocate("import", "photos", "--name", "mine", *rights, "--json"))
    assert summary["statuses"] == {"complete": 1}
