"""Forget everywhere: out of the store, the caches, the pages and the reports, and write down who had held it.

In: what was chosen to be forgotten. Out: nothing of it that a reader could show. Interrupted, the same command does
the rest: tombstones and rules are written first, the collections' manifests last.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from geolocate.collection.forgetting import Victims, bury, drop_from_collections, erase_pictures, hashes_to_erase
from geolocate.dataset.attribution import rewrite_attribution
from geolocate.dataset.card_forgetting import rewrite_card
from geolocate.dataset.forgetting import Holders, Wanted, holders_of, panoramas_of
from geolocate.dataset.measures import forget_measures
from geolocate.dataset.pack import erase_packed
from geolocate.dataset.quality_page import rewrite_quality_page
from geolocate.errors import GeolocateError
from geolocate.evaluation.forgetting import forget_in_gallery
from geolocate.evaluation.gallery import PANORAMAS
from geolocate.manifest.tombstones import now, remember_forgetting
from geolocate.models.features import erase_features
from geolocate.reporting.model_forgetting import forget_in_models
from geolocate.reporting.report import write_report
from geolocate.storage import DataRoot, atomic_write

_PREDICTIONS = ("predictions.parquet", "sample_predictions.parquet")


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: counts, the rows that each collection lost, and what became of the reports that showed it.

    ``galleries`` counts the places that each run can no longer look up; ``models`` says what became of promoted ones.
    """

    panoramas: int
    images: int
    files: int
    features: int
    collections: dict[str, int]
    reports: dict[str, str]
    packed: int = 0
    galleries: dict[str, int] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)


def forget_everywhere(root: DataRoot, wanted: Wanted, victims: Victims, reason: str = "") -> tuple[Erased, Holders]:
    """Erase what was chosen, and return what was done and who had held it.

    The same stands in ``store/forgotten.json``. Weights that were learned from it are not undone: their runs are
    among the holders.
    """
    holders = holders_of(root, victims)
    entry = {"since": now(), "reason": reason, "asked": wanted.to_json(), "rules": wanted.rules.to_json()}
    remember_forgetting(root, entry)
    bury(root, victims)
    hashes = hashes_to_erase(root, victims)
    features, packed = erase_features(root, hashes), erase_packed(root, hashes)
    forget_measures(root, hashes)
    for held in holders.versions:
        if (held.path / "quality.parquet").exists():
            rewrite_quality_page(root, held.path)
        rewrite_attribution(root, held.path)
        rewrite_card(root, held.path)
    # What another program predicted shows pictures too, and is no run that learned.
    shown_in = {path.parent.name for path in (root.path / "runs").glob("[!.]*/predictions.parquet")}
    reports = {run: _forget_in_run(root, run, victims) for run in sorted(shown_in)}
    galleries = _forget_in_galleries(root, panoramas_of(holders, victims) | victims.panoramas)
    # Copies of what runs had: after the runs.
    models = forget_in_models(root, holders.models, wanted.rules.creators)
    files = erase_pictures(root, hashes)
    # Last: as long as the manifests name it, the same command finds what is left to do.
    collections = {name: count for name, count in drop_from_collections(root).items() if count}
    shown = {run: became for run, became in reports.items() if became}
    counts = len(victims.panoramas), len(victims.images), files, features
    erased = Erased(*counts, collections, shown, packed, galleries, models)
    remember_forgetting(root, entry | {"found": found_json(erased, holders)})
    return erased, holders


def found_json(erased: Erased, holders: Holders) -> Mapping[str, Any]:
    """Return both as JSON values."""
    return asdict(erased) | holders.to_json()


def _forget_in_galleries(root: DataRoot, panoramas: frozenset[str]) -> dict[str, int]:
    folders = sorted(path.parent for path in (root.path / "runs").glob(f"[!.]*/{PANORAMAS}"))
    counts = {folder.name: forget_in_gallery(folder, panoramas) for folder in folders}
    return {run: count for run, count in counts.items() if count}


def _forget_in_run(root: DataRoot, run: str, victims: Victims) -> str:
    """Take the pictures' predictions out of a run, and make its report again where it may have shown them."""
    folder = root.run(run)
    lost = sum(_forget_predictions(folder / name, victims) for name in _PREDICTIONS)
    report = folder / "report.html"
    if not lost or not report.exists():
        return ""
    report.unlink()
    try:
        write_report(root, run)
    except GeolocateError as error:
        return f"removed: {error}"
    return "made again without it; its figures are those of before"


def _forget_predictions(path: Path, victims: Victims) -> int:
    if not path.exists():
        return 0
    rows = pd.read_parquet(path)
    shows = rows["sha256s"].map(lambda views: not victims.sha256s.isdisjoint(views)).astype(bool)
    gone = shows | rows["source_id"].isin(victims.panoramas)
    if gone.any():
        with atomic_write(path) as file:
            rows[~gone].to_parquet(file, index=False)
    return int(gone.sum())
