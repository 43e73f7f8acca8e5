"""Describe a dataset version before it is written: measure its pictures, probe it, count it, render its pages.

In: rows with labels, and what names the version. Out: the content of ``card.json``, the quality table, and the pages
``card.md``, ``card.html``, ``coverage.png`` and ``quality.html``, and ``ATTRIBUTION`` where a licence asks for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import pandas as pd

from geolocate.dataset.attribution import ATTRIBUTION, attribution_text, needs_attribution
from geolocate.dataset.biases import biases_of, probe_sentences
from geolocate.dataset.cards import CardInput, card_facts
from geolocate.dataset.measures import measure_pictures
from geolocate.dataset.pages import card_pages
from geolocate.dataset.probes import run_probes
from geolocate.dataset.quality import quality_of
from geolocate.dataset.quality_page import QualityInput, quality_page
from geolocate.geography.regions import Region
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.storage import DataRoot

#: Nothing nearer to the middle of its class than this is worth a look.
_NEAR_KM = 5.0


@dataclass(frozen=True)
class Content:
    """What a version holds: ``rows`` (manifest and labels, one an image) and ``classes``.

    ``outside`` counts the panoramas of its collections that belong to no class.
    """

    rows: pd.DataFrame
    classes: pd.DataFrame
    outside: int


@dataclass(frozen=True)
class Description:
    """What is written beside the rows of a version; ``pages`` are bytes by file name."""

    card: dict[str, Any]
    quality: pd.DataFrame
    pages: dict[str, bytes]


def describe(root: DataRoot, region: Region, identity: Mapping[str, Any], content: Content) -> Description:
    """Describe a version; ``identity`` is what its card says besides counts: names, hashes, the request, lineage."""
    rows = content.rows.reset_index(drop=True)
    measures = measure_pictures(root, rows["sha256"])
    # A cell reaches from corner to corner; cities and towns are as large as their places are spread.
    reach_km = identity["cell_km"] * sqrt(2) if identity["level"] == "cell" else 0.0
    quality = quality_of(rows, measures, max(_NEAR_KM, reach_km))
    facts = CardInput(
        root=root,
        region=region,
        collections=tuple(identity["collections"]),
        rows=rows,
        classes=content.classes,
        outside=content.outside,
        quality=quality,
        probes=run_probes(rows, measures),
    )
    card = {**identity, **card_facts(facts)}
    card["biases"] = biases_of(card)
    card["probes"]["sentences"] = probe_sentences(card)
    name = f"{card['name']}@{card['version']}"
    flagged = QualityInput(name, card["world"], quality, rows.merge(content.classes, on="class_id"))
    pages = card_pages(card, one_a_panorama(rows), region)
    pages["quality.html"] = quality_page(root, flagged)
    if needs_attribution(rows):
        pages[ATTRIBUTION] = attribution_text(name, rows).encode()
    return Description(card, quality, pages)
