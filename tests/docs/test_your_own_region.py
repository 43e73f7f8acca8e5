"""A new user follows docs/your-own-region.md, and gets what the page says."""

from pathlib import Path

import pandas as pd
import pytest

from geolocate.dataset import open_dataset
from geolocate.storage import DataRoot
from tests.docs.pages import ROOT, read_page, run_commands


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEOLOCATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GEOLOCATE_PROVIDER", "google")
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def test_the_page_works_as_written(folder, monkeypatch, emulator_url):
    page = read_page(
        "your-own-region.md",
        {
            "docs/examples/": f"{ROOT}/docs/examples/",
            "http://127.0.0.1:8930": emulator_url,
            "GOOGLE_MAPS_API_KEY=any": "GOOGLE_MAPS_API_KEY=emulator",
        },
    )
    said = run_commands(page.commands, monkeypatch)
    for line in page.printed:
        assert line in said, f"the page shows {line!r}, which was not printed:\n{said}"

    version = open_dataset(DataRoot(folder / "data"), "irish-towns")
    assert version.region == str(folder / "ireland" / "ireland.toml")
    assert "Dublin" in set(version.classes["class_name"])
    assert "Tallaght" not in set(version.classes["class_name"])
    assert set(version.frame["country"]) == {"IE"}
    assert version.frame["admin1"].str.match("IE-[A-Z]{1,2}$").all()
    assert (folder / "ireland.png").stat().st_size > 10_000


def test_the_region_is_the_same_to_the_byte_when_it_is_made_again(folder, monkeypatch):
    page = read_page("your-own-region.md", {"docs/examples/": f"{ROOT}/docs/examples/"})
    making = [command for command in page.commands if command.startswith(("cp", "geolocate region make"))]
    run_commands(making, monkeypatch)
    Path("ireland").rename("first")
    run_commands(making[1:], monkeypatch)
    files = sorted(path.relative_to(folder / "first") for path in (folder / "first").rglob("*.*"))
    assert len(files) == 8
    for file in files:
        assert (folder / "ireland" / file).read_bytes() == (folder / "first" / file).read_bytes(), file


def test_the_example_places_are_a_plain_table():
    places = pd.read_csv(ROOT / "docs/examples/ireland/places.csv")
    assert places.columns.tolist() == ["id", "name", "lat", "lon", "population"]
    assert places["id"].is_unique
