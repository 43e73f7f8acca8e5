"""The facts of a dataset version's card: what is in it, from whom, from when, how even, under which rights.

In: the version's rows, its outcomes, quality and probes. Out: the content of ``card.json``, from which the pages are
rendered; every figure is counted from the rows.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from geolocate.dataset.attribution import owed_facts
from geolocate.dataset.probes import ProbeReport
from geolocate.dataset.quality import quality_counts
from geolocate.dataset.splits import PARTS, split_costs
from geolocate.geography.regions import Region
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.storage import DataRoot

#: More different headings than this are no choice of anybody's.
_MOST_HEADINGS = 12
_SEASONS = {1: "winter", 2: "spring", 3: "summer", 4: "autumn"}


@dataclass(frozen=True)
class CardInput:
    """What a card is made from.

    ``rows`` are the manifest's rows with labels; ``classes`` the classes; ``outside`` counts the panoramas of the
    collections that belong to no class at this level.
    """

    root: DataRoot
    region: Region
    collections: tuple[str, ...]
    rows: pd.DataFrame
    classes: pd.DataFrame
    outside: int
    quality: pd.DataFrame
    probes: ProbeReport


def card_facts(card: CardInput) -> dict[str, Any]:
    """Count what the card tells beyond the names and hashes of the version."""
    panoramas = one_a_panorama(card.rows)
    outcomes = _outcomes(card.root, card.collections)
    kept = card.rows[card.rows["part"].isin(PARTS)]
    return {
        "region_title": card.region.title,
        "region_layers": _layers(card.region),
        "licenses": _counts(card.rows["license"]),
        "images": len(card.rows),
        "panoramas": len(panoramas),
        "classes": len(card.classes),
        "classes_without_test": sorted(set(kept["class_id"]) - set(kept.loc[kept["part"] == "test", "class_id"])),
        "splits": split_costs(panoramas),
        "panoramas_by_part": _counts(panoramas["part"]),
        "images_by_part": _counts(card.rows["part"]),
        "panoramas_without_class": card.outside,
        "sources": _sources(card.rows),
        "outcomes": _counts(outcomes["status"]) if len(outcomes) else {},
        "no_imagery_by_class": _no_imagery(outcomes, card.classes),
        "bytes": int(card.rows["bytes"].sum()),
        "views": _views(card.rows["heading"]),
        "sizes": _counts(card.rows["width"].astype(str) + " × " + card.rows["height"].astype(str)),
        "extent": _extent(panoramas),
        "dates": _dates(panoramas),
        "balance": _balance(panoramas, card.classes),
        "rights": _rights(card.rows),
        "owed": owed_facts(card.rows),
        "quality": quality_counts(card.quality),
        "probes": card.probes.as_json(),
    }


def card_lines(card: Mapping[str, Any]) -> dict[str, str]:
    """Give the key facts for a table or a log, a short line each."""
    balance, dates, quality = card["balance"], card["dates"], card["quality"]
    splits = card["splits"]
    above = [result["title"] for result in card["probes"]["results"] if result["above"]]
    judged = bool(card["probes"]["results"])
    return {
        "content": f"{card['images']} images of {card['panoramas']} panoramas, {card['classes']} classes",
        "of": f"{card['region_title']}, by {card['level']}, {card['world']} world",
        "parts": _listed({part: splits["by_part"][part] for part in PARTS}),
        "left out": _listed({reason: count for reason, count in splits["left_out"].items() if count}) or "none",
        "panoramas a class": f"{balance['panoramas_min']} to {balance['panoramas_max']}, "
        f"median {balance['panoramas_median']:g}, effective classes {balance['effective_classes']:g}",
        "captured": f"{dates['earliest']} to {dates['latest']}" if dates["earliest"] else "not dated",
        "licences": _listed(card["licenses"]),
        "quality": f"{quality['flagged']} of {quality['images']} images flagged, {quality['measured']} measured",
        "probes above the prior": ", ".join(above) or ("none" if judged else f"not judged: {card['probes']['reason']}"),
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _counts(values: Iterable[Any]) -> dict[str, int]:
    """Count values, the most frequent first, equal ones by name."""
    return {str(key): n for key, n in sorted(Counter(values).items(), key=lambda item: (-item[1], str(item[0])))}


def _sources(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Who the pictures are from: one entry for each provider, world and edition of its terms."""
    keys = ["provider", "world", "terms_version"]
    entries = []
    for values, group in rows.groupby(keys, dropna=False):
        counts = {"images": len(group), "panoramas": int(group["panorama_id"].nunique())}
        entries.append(dict(zip(keys, map(str, values), strict=True)) | counts)
    return entries


def _views(headings: pd.Series) -> list[str]:
    """Name the headings; flat photographs look wherever they looked, and are counted."""
    different = sorted(set(headings))
    if len(different) > _MOST_HEADINGS:
        return [f"in {len(different)} directions"]
    return [f"{heading:g}°" for heading in different]


def _layers(region: Region) -> list[dict[str, str]]:
    """Name the region's data and their licences, as the list beside them does; a region of one's own may have none."""
    path = region.data / "SOURCES.md"
    if not path.is_file():
        return []
    sections = path.read_text(encoding="utf-8").split("\n# ")[0].split("\n## ")[1:]
    return [_layer(section) for section in sections]


def _layer(section: str) -> dict[str, str]:
    name, *lines = [line.strip().replace("`", "") for line in section.splitlines() if line.strip()]
    licences = [line.partition(":")[2].strip() for line in lines if line.startswith("Licence:")]
    return {"name": name, "what": lines[0] if lines else "", "license": licences[0] if licences else "not stated"}


def _outcomes(root: DataRoot, collections: tuple[str, ...]) -> pd.DataFrame:
    """How the planned points ended; collections that were not collected here (imported rows) have no such file."""
    paths = [root.collection(name) / "outcomes.parquet" for name in collections]
    frames = [pd.read_parquet(path) for path in paths if path.exists()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _no_imagery(outcomes: pd.DataFrame, classes: pd.DataFrame) -> dict[str, float]:
    """Share of the asked points without imagery, of each class that was sampled by itself and had any."""
    if outcomes.empty:
        return {}
    misses = outcomes["misses"].map(lambda listed: json.loads(listed).count("no_imagery"))
    groups = outcomes.assign(misses=misses).groupby("group_id")[["misses", "draws"]].sum()
    groups = groups[groups.index.isin(classes["class_id"]) & (groups["misses"] > 0)]
    return {str(name): round(row.misses / row.draws, 4) for name, row in groups.iterrows() if row.draws}


def _extent(panoramas: pd.DataFrame) -> dict[str, float]:
    lat, lon = panoramas["lat"], panoramas["lon"]
    bounds = {"south": lat.min(), "north": lat.max(), "west": lon.min(), "east": lon.max()}
    return {side: round(float(value), 4) for side, value in bounds.items()}


def _dates(panoramas: pd.DataFrame) -> dict[str, Any]:
    """Spread of the capture dates over panoramas; a month is known to those dated to the month or the day."""
    captured = panoramas["captured"].dropna().astype(str)
    months = captured[captured.str.len() >= 7].str[:7]
    quarters = (months.str[5:7].astype(int) % 12) // 3 + 1
    by_class = months.groupby(panoramas.loc[months.index, "class_id"]).agg(["size", "nunique"])
    return {
        "undated": len(panoramas) - len(captured),
        "earliest": captured.min() if len(captured) else None,
        "latest": captured.max() if len(captured) else None,
        "years": dict(sorted(_counts(captured.str[:4]).items())),
        "months": dict(sorted(_counts(months).items())),
        "calendar_months": dict(sorted(_counts(months.str[5:7]).items())),
        "seasons": {name: int((quarters == number).sum()) for number, name in _SEASONS.items()},
        "single_month_classes": int(((by_class["nunique"] == 1) & (by_class["size"] > 1)).sum()),
    }


def _balance(panoramas: pd.DataFrame, classes: pd.DataFrame) -> dict[str, Any]:
    """How even the classes are, in panoramas; the effective number is the exponential of the entropy."""
    names = classes.set_index("class_id")["class_name"]
    parts = pd.crosstab(panoramas["class_id"], panoramas["part"])
    totals = parts.sum(axis=1)
    shares = (totals / totals.sum()).to_numpy(float)
    table = [
        {"class_id": name, "class_name": str(names[name]), "panoramas": int(totals[name])}
        | {part: int(count) for part, count in parts.loc[name].items() if count}
        for name in sorted(parts.index, key=lambda name: (-totals[name], name))
    ]
    return {
        "panoramas_min": int(totals.min()),
        "panoramas_median": float(totals.median()),
        "panoramas_max": int(totals.max()),
        "ratio": round(float(totals.max() / totals.min()), 2),
        "largest_share": round(float(shares.max()), 4),
        "effective_classes": round(float(np.exp(-(shares * np.log(shares)).sum())), 2),
        "classes": table,
    }


def _rights(rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "licenses": _counts(rows["license"]),
        "bases": _counts(rows["rights_basis"]),
        "attributions": _counts(rows["attribution"]),
        "retain_until": min(rows["retain_until"].dropna().astype(str), default=None),
    }
