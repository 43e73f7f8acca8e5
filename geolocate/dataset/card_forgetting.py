"""Forget in a version's card: it names whom the pictures are from, and its map shows where they were taken.

In: a published version of which something was forgotten. Out: ``card.json``, ``card.md``, ``card.html`` and
``coverage.png`` without whom nothing is left of; every other figure stays what it was at publishing.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from geolocate.dataset.pages import card_pages
from geolocate.geography.regions import load_region
from geolocate.manifest import read_manifest
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.manifest.tombstones import without_forgotten
from geolocate.storage import DataRoot, atomic_write, read_json, write_json

#: Under what the pictures of whoever is forgotten stay counted.
NAMELESS = "forgotten since"
#: What a card counts pictures under that name nobody.
_NOBODY = ("", "None", "nan", "<NA>")


def rewrite_card(root: DataRoot, version: Path) -> None:
    """Write a version's card again where it names somebody of whom nothing is left."""
    card = read_json(version / "card.json")
    manifest = pd.DataFrame(read_manifest(version / "manifest.parquet").drop(columns="geometry"))
    rows = without_forgotten(root, manifest).merge(pd.read_parquet(version / "labels.parquet"), on="image_id")
    living = {str(name) for name in rows["attribution"]} | {*_NOBODY, NAMELESS}
    gone = [name for name in card["rights"]["attributions"] if name not in living]
    if not gone or rows.empty:
        return
    for page, body in card_pages(_nameless(card, gone), one_a_panorama(rows), load_region(card["region"])).items():
        with atomic_write(version / page) as file:
            file.write(body)
    # Last: as long as it names them, the same command finds what is left to do.
    write_json(version / "card.json", _nameless(card, gone))


def _nameless(card: dict[str, Any], gone: list[str]) -> dict[str, Any]:
    """Return a card that counts the pictures of some without their names, which one of the biases may hold too."""
    counts: dict[str, int] = {}
    for name, count in card["rights"]["attributions"].items():
        shown = NAMELESS if name in gone else name
        counts[shown] = counts.get(shown, 0) + count
    biases = [_without(text, gone) for text in card.get("biases", [])]
    return {**card, "rights": {**card["rights"], "attributions": counts}, "biases": biases}


def _without(text: str, gone: list[str]) -> str:
    found = next((name for name in gone if text.endswith(f", {name}.")), "")
    return f"{text.removesuffix(f'{found}.')}{NAMELESS}." if found else text
