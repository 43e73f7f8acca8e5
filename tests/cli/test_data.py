"""`geolocate data …` as a person types it."""

import json
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import pytest

from tests.providers.test_folder import photo_with_gps


@pytest.fixture
def geolocate(tmp_path, emulator_url):
    """Run the command line against the real emulator."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "GEOLOCATE_DATA": str(tmp_path / "data"),
            "GEOLOCATE_STREET_VIEW_URL": emulator_url,
            "GEOLOCATE_WORLD": "emulated",
            "GOOGLE_MAPS_API_KEY": "emulator",
        }
        command = [sys.executable, "-m", "geolocate.cli", "data", *words]
        return subprocess.run(
            command, env=settings | environment, capture_output=True, text=True, cwd=tmp_path, timeout=240, check=False
        )

    return run


def test_collect_validate_and_collect_again(geolocate):
    collect = ("collect", "--name", "towns", "--top", "2", "--per-place", "3", "--json")
    first = geolocate(*collect)
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert sum(summary["statuses"].values()) == summary["points"] == 6
    assert summary["images"] > 0
    assert summary["run_image_requests"] == summary["image_requests"]
    again = json.loads(geolocate(*collect).stdout)
    assert (again["run_metadata_requests"], again["run_image_requests"]) == (0, 0)
    checked = geolocate("validate", "towns")
    assert checked.returncode == 0
    assert "everything agrees" in checked.stdout


def test_a_plan_is_drawn_and_written(geolocate, tmp_path):
    words = ("plan", "--kind", "uniform", "--total", "50", "--json", "--map", "plan.png")
    done = geolocate(*words, "--out", "plan.parquet")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["points"] == 50
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert geolocate(*words, "--out", "plan.geojson").returncode == 0
    plan = gpd.read_parquet(tmp_path / "plan.parquet")
    assert len(plan) == 200  # four draws a point
    assert (plan.geometry.y == plan["lat"]).all()
    points = json.loads((tmp_path / "plan.geojson").read_text())["features"]
    assert [point["geometry"]["coordinates"] for point in points] == plan[["lon", "lat"]].to_numpy().tolist()


def test_import_own_photographs(geolocate, tmp_path):
    photo_with_gps(tmp_path / "photos" / "a.jpg")
    done = geolocate(
        "import", "photos", "--name", "mine", "--license", "CC-BY-4.0", "--attribution", "Ann Example", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"complete": 1}


def test_mistakes_are_one_line(geolocate, tmp_path):
    wrong_key = geolocate("collect", "--name", "x", "--top", "2", "--per-place", "1", GOOGLE_MAPS_API_KEY="wrong")
    nobody = geolocate("collect", "--name", "y", "--top", "2", "--per-place", "1", GEOLOCATE_PROVIDER="bing")
    unknown = geolocate("validate", "nothing")
    assert not (tmp_path / "data" / "collections" / "y").exists()
    for run, words in ((wrong_key, "GOOGLE_MAPS_API_KEY"), (nobody, "choose one of"), (unknown, "no collection")):
        assert run.returncode == 1
        assert words in run.stderr
        assert run.stderr.count("\n") == 1
        assert "Traceback" not in run.stderr
