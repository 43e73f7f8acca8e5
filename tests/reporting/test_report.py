import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest

from geolocate.errors import CheckpointError
from geolocate.reporting import write_report
from geolocate.reporting.pictures import picture_tiles
from geolocate.reporting.sections import per_class
from tests.evaluation.trained import RUNS


class _Page(HTMLParser):
    """Collects what the assertions ask for."""

    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


@pytest.fixture(scope="module")
def html(root, evaluated):
    return write_report(root, RUNS[0]).read_text()


@pytest.fixture(scope="module")
def predictions(root, evaluated):
    return pd.read_parquet(root.run(RUNS[0]) / "predictions.parquet")


def test_the_report_is_one_file_that_asks_for_no_other(html):
    page = _Page(html)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "a")]
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert not re.search(r"https?://|url\(|@import", html)


def test_people_who_do_not_see_it_can_read_it(html):
    page = _Page(html)
    assert page.all("html")[0]["lang"] == "en"
    assert all(len(image["alt"]) > 15 for image in page.all("img"))
    assert all("scope" in cell for cell in page.all("th"))


def test_the_emulated_world_is_named_first(html):
    assert 0 < html.index("Emulated world.") < html.index("<h1>")
    assert "(emulated world)</title>" in html


def test_every_chance_and_interval_is_in_the_table(html, evaluated):
    for label in ("uniform", "prior", "best constant", "median distance", "within 2500 km", "geoscore_uk"):
        assert label in html
    cell = evaluated[0]["metrics"]["mean_km"]["best_constant"]
    assert f"[{cell['low']:.1f}, {cell['high']:.1f}]" in html


def test_the_map_lies_beside_the_report(root, html):
    assert (root.run(RUNS[0]) / "map.png").read_bytes().startswith(b"\x89PNG")


def test_writing_it_again_gives_the_same_bytes(root, html):
    assert write_report(root, RUNS[0]).read_text() == html


def test_names_are_escaped(root, evaluated, predictions):
    shutil.copytree(root.run(RUNS[0]), root.run("odd"))
    predictions.assign(predicted_class_name="<b>O'Leeds</b>").to_parquet(root.run("odd") / "predictions.parquet")
    html = write_report(root, "odd").read_text()
    shutil.rmtree(root.run("odd"))
    assert "<b>O" not in html
    assert "&lt;b&gt;O" in html


def test_only_pictures_whose_rights_allow_are_shown(root, predictions):
    assert len(picture_tiles(root, predictions)) == 12
    agreed = predictions.assign(rights_basis="agreement:2026-1")
    assert picture_tiles(root, agreed) == []
    mixed = agreed.assign(rights_basis=["own", *agreed["rights_basis"].iloc[1:]])
    assert [tile.true_name for tile in picture_tiles(root, mixed)] == [predictions["class_name"].iloc[0]]


def test_a_forgotten_picture_is_passed_over(root, predictions):
    gone = predictions.assign(sha256s=[["0" * 64]] * len(predictions))
    assert picture_tiles(root, gone) == []


def test_the_table_by_class_counts_every_panorama_once(predictions):
    table = per_class(predictions)
    assert table["panoramas"].sum() == len(predictions)
    assert table["right"].sum() == predictions["correct"].sum()
    always_right = table[table["right"] == table["panoramas"]]
    assert (always_right["mistaken_for"] == "").all()


def test_a_run_that_was_not_evaluated_has_no_report(root, evaluated):
    shutil.copytree(root.run(RUNS[0]), root.run("plain"))
    (root.run("plain") / "metrics.json").unlink()
    with pytest.raises(CheckpointError, match="'plain' is not evaluated"):
        write_report(root, "plain")
    shutil.rmtree(root.run("plain"))
