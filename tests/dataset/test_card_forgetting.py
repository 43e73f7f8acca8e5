"""A version's card names nobody of whom nothing is left."""

from geolocate.dataset import publish
from geolocate.dataset.card_forgetting import NAMELESS, rewrite_card
from geolocate.dataset.forgetting import Wanted, choose_victims
from geolocate.manifest import write_manifest
from geolocate.manifest.tombstones import Rules
from geolocate.reporting.forgetting import forget_everywhere
from geolocate.storage import DataRoot, read_json
from tests.dataset.published import city_rows, request

PAGES = ("card.json", "card.md", "card.html")


def test_the_one_source_of_most_pictures_is_forgotten_in_card_and_biases(tmp_path):
    root = DataRoot(tmp_path / "data")
    rows = city_rows(root, world="real", terms_version="2024")
    most = rows["creator"].isin(["London", "Leeds"])
    rows["creator"] = rows["creator"].where(~most, "Ann Walker").where(most, "Bea Rider")
    rows["attribution"] = "© " + rows["creator"]
    write_manifest(rows, root.collection("cities") / "manifest" / "00000.parquet")
    version = root.dataset("cities", publish(root, request()).version)
    before = read_json(version / "card.json")
    assert any("66.7 % of the images are by one source, © Ann Walker." in bias for bias in before["biases"])
    wanted = Wanted(rules=Rules(creators=("Ann Walker",)))
    forget_everywhere(root, wanted, choose_victims(root, wanted))
    for page in PAGES:
        text = (version / page).read_text()
        assert "Ann Walker" not in text
        assert "Bea Rider" in text
    card = read_json(version / "card.json")
    assert card["rights"]["attributions"] == {NAMELESS: 150, "© Bea Rider": 75}
    assert any(f"by one source, {NAMELESS}." in bias for bias in card["biases"])
    assert {**card, "rights": 0, "biases": 0} == {**before, "rights": 0, "biases": 0}
    written = [(version / page).read_bytes() for page in PAGES]
    rewrite_card(root, version)
    assert [(version / page).read_bytes() for page in PAGES] == written
