"""The card of a published version says what its tables hold, and shows only what may be shown."""

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from geolocate.cli.dataset import app
from geolocate.dataset import open_dataset, publish
from geolocate.dataset.probes import PROBES
from geolocate.dataset.publishing import PublishRequest
from geolocate.dataset.quality_page import rewrite_quality_page
from geolocate.manifest import write_manifest
from geolocate.manifest.tombstones import add_tombstones
from geolocate.storage import DataRoot, read_json
from tests.dataset.scenes import flat, scene, with_pictures
from tests.manifest.rows import manifest_rows

PLACES = {"London": (51.507, -0.128), "Birmingham": (52.48, -1.9), "Leeds": (53.8, -1.55)}
PAGES = ("card.md", "card.html", "coverage.png", "quality.html")


class Page(HTMLParser):
    """What an HTML page shows, and every address that it would fetch or follow."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.images, self.rows, self.text = [], [], [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.addresses += [named[key] for key in ("src", "href", "srcset", "action", "data") if key in named]
        if tag == "img":
            self.images.append(named)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


def rows_of(seed=0):
    """Panoramas of three cities, each of a month of its own, those of Leeds without a date."""
    places = enumerate(PLACES.values())
    frames = [manifest_rows(40, lat=lat, lon=lon, spread=0.05, seed=seed + number) for number, (lat, lon) in places]
    rows = pd.concat(frames, ignore_index=True)
    number = pd.factorize(rows["source_id"])[0]
    rows["captured"] = [f"{2000 + one // 12}-{one % 12 + 1:02}" for one in number]
    rows.loc[rows["lat"] > 53, "captured"] = None
    return rows


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return DataRoot(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def version(root):
    """A version with two grey pictures, one of them under rights that forbid showing it."""
    rows = with_pictures(root, rows_of(), lambda number, row: flat(226) if number in (3, 9) else scene(number))
    rows.loc[9, ["rights_basis", "license"]] = "agreement:1", "LicenseRef-agreement"
    rows["attribution"] = "Ann | <b>Bob</b>"
    write_manifest(rows, root.collection("cities") / "manifest" / "0.parquet")
    return open_dataset(root, str(publish(root, PublishRequest(name="cities", collections=("cities",), top=20))))


def test_the_figures_are_those_of_the_tables(version):
    card, frame = version.card, version.frame
    panoramas = frame.drop_duplicates("source_id")
    assert (card["images"], card["panoramas"]) == (len(frame), len(panoramas))
    assert card["panoramas_by_part"] == panoramas["part"].value_counts().to_dict()
    assert card["images_by_part"] == frame["part"].value_counts().to_dict()
    assert {entry["class_name"]: entry["panoramas"] for entry in card["balance"]["classes"]} == (
        panoramas["class_name"].value_counts().to_dict()
    )
    assert card["licenses"] == frame["license"].value_counts().to_dict()
    assert card["dates"]["undated"] == panoramas["captured"].isna().sum() > 0
    assert sum(card["dates"]["months"].values()) + card["dates"]["undated"] == len(panoramas)
    assert card["bytes"] == frame["bytes"].sum()


def test_both_pages_print_the_counts(version):
    panoramas = version.frame.drop_duplicates("source_id")
    markdown, page = (version.path / "card.md").read_text(), Page(version.path / "card.html")
    for part, count in panoramas["part"].value_counts().items():
        images = (version.frame["part"] == part).sum()
        assert re.search(rf"\| (left out: )?{part} \| {count} \| {images} \|", markdown)
        assert any(row[0].endswith(part) and row[1:3] == [str(count), str(images)] for row in page.rows if row)
    for name, count in panoramas["class_name"].value_counts().items():
        assert any(row[0] == name and row[2] == str(count) for row in page.rows if row)


def test_the_pages_fetch_nothing_and_describe_their_pictures(version):
    for name in ("card.html", "quality.html"):
        page = Page(version.path / name)
        assert page.images
        assert all(address.startswith(("data:image/", "#")) for address in page.addresses), name
        assert all(image["alt"] for image in page.images)
        assert not re.search(r"url\(|@import", (version.path / name).read_text())


def test_the_emulated_world_is_named_at_the_top(version):
    for name in ("card.html", "quality.html"):
        text = Page(version.path / name).text.partition("}\n\n")[2]
        assert text.strip().startswith("Emulated world.")
        assert "emulated world" in (version.path / name).read_text().partition("</title>")[0]
    assert "**Emulated world.**" in (version.path / "card.md").read_text()
    assert any("drawn by the emulator" in sentence for sentence in version.card["biases"])


def test_the_markdown_opens_with_what_the_hub_reads(version):
    head = yaml.safe_load((version.path / "card.md").read_text().split("---")[1])
    assert head["license"] == "other"  # two licences
    assert head["size_categories"] == ["n<1K"]
    assert "emulated" in head["tags"]


def test_names_stay_names_in_both_pages(version):
    assert "<b>Bob</b>" not in (version.path / "card.html").read_text()
    assert "Ann \\| \\<b\\>Bob" in (version.path / "card.md").read_text()


def test_probes_are_printed_beside_chance(version):
    text = (version.path / "card.md").read_text()
    assert len(version.card["probes"]["results"]) == len(PROBES)
    for result in version.card["probes"]["results"]:
        assert f"| {result['title']} | {100 * result['accuracy']:.1f} [" in text
    assert "| uniform |" in text
    assert "| best constant |" in text


def test_a_failed_picture_is_shown_only_where_its_rights_allow(version):
    quality = pd.read_parquet(version.path / "quality.parquet")
    assert quality["near_grey"].sum() == 2
    assert len(quality) == len(version.frame)
    page = Page(version.path / "quality.html")
    grey = set(quality.loc[quality["near_grey"], "image_id"])
    owned = set(version.frame.loc[version.frame["rights_basis"] == "own", "image_id"])
    shown = {image["alt"].split()[1] for image in page.images}
    assert shown & grey == grey & owned
    assert len(grey & owned) == 1
    assert "its rights do not allow to show it" in page.text


def test_a_forgotten_picture_leaves_the_page_and_the_version_still_opens(root, version):
    quality = pd.read_parquet(version.path / "quality.parquet")
    gone = quality.loc[quality["near_grey"], "image_id"].iloc[0]
    add_tombstones(root, [gone])
    rewrite_quality_page(root, version.path)
    assert gone not in (version.path / "quality.html").read_text()
    assert gone not in set(pd.read_parquet(version.path / "quality.parquet")["image_id"])
    assert len(open_dataset(root, str(version.ref)).frame) == len(version.frame) - 1


def test_the_same_rows_give_the_same_pages(tmp_path):
    written = []
    for name in ("one", "two"):
        root = DataRoot(tmp_path / name)
        write_manifest(rows_of(seed=50), root.collection("cities") / "manifest" / "0.parquet")
        ref = publish(root, PublishRequest(name="cities", collections=("cities",), top=20))
        path = root.dataset(ref.name, ref.version)
        created = read_json(path / "card.json")["created_at"][:10].encode()
        written.append([(path / page).read_bytes().replace(created, b"") for page in PAGES])
    assert written[0] == written[1]


def test_without_pictures_the_card_says_that_none_was_measured(tmp_path):
    root = DataRoot(tmp_path)
    write_manifest(rows_of(), root.collection("cities") / "manifest" / "0.parquet")
    ref = publish(root, PublishRequest(name="cities", collections=("cities",), top=20))
    card = read_json(root.dataset(ref.name, ref.version) / "card.json")
    assert card["quality"]["measured"] == 0
    assert card["quality"]["reasons"]["missing"] == card["images"]
    assert "could not be judged" in card["probes"]["sentences"][0]


def test_show_prints_the_key_facts_as_a_table(root, version, monkeypatch):
    monkeypatch.setenv("GEOLOCATE_DATA", str(root.path))
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(app, ["show", str(version.ref)])
    assert shown.exit_code == 0, shown.output
    counts = (version.card["images"], version.card["panoramas"], len(version.classes))
    assert "{} images of {} panoramas, {} classes".format(*counts) in shown.output
    assert str(version.path / "card.html") in shown.output.replace("\n", "")
    assert "{" not in shown.output
    as_json = CliRunner().invoke(app, ["show", "cities", "--json"])
    assert json.loads(as_json.output)["balance"] == version.card["balance"]
