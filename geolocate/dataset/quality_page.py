"""The page with the pictures that a person should look at.

In: the quality table of a version and its rows. Out: ``quality.html``, with thumbnails inside where rights allow to
show them. It is made again when something was forgotten: a thumbnail is a picture too.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from geolocate.dataset.measures import UNREADABLE
from geolocate.dataset.pages import data_uri, render
from geolocate.dataset.quality import REASONS, quality_counts
from geolocate.dataset.rights import allowed, policy_in_force
from geolocate.manifest import one_a_panorama, read_manifest
from geolocate.manifest.tombstones import without_forgotten
from geolocate.storage import DataRoot, atomic_write

#: Pictures a reason; the total stands beside them.
SHOWN = 12
_SIDE = 160
# A whole panorama is far off, not one of its views: one picture of it is enough.
_OF_PANORAMAS = ("far_from_request", "far_from_class")


@dataclass(frozen=True)
class QualityInput:
    """A version's name and world, its quality table, and its rows with labels and ``class_name``."""

    name: str
    world: str
    quality: pd.DataFrame
    rows: pd.DataFrame


def quality_page(root: DataRoot, version: QualityInput) -> bytes:
    """Render the page: a table of the reasons, then some pictures of each."""
    about = version.rows.drop(columns=["source_id", "class_id", "sha256"])
    table = version.quality.merge(about, on="image_id", validate="one_to_one")
    # A page is passed on, so only pictures that may be are in it.
    table["showable"] = allowed(policy_in_force(), table, "redistribute")
    reasons = [
        {
            "key": reason.replace("_", "-"),
            "title": title,
            "total": int(table[reason].sum()),
            "tiles": _tiles(root, table[table[reason]], reason),
        }
        for reason, title in REASONS.items()
    ]
    content = {
        "name": version.name,
        "emulated": version.world == "emulated",
        "counts": quality_counts(version.quality),
        "reasons": reasons,
    }
    return render("quality.html.j2", content).encode()


def rewrite_quality_page(root: DataRoot, version: Path) -> None:
    """Make the page of a published version again without what was forgotten since, and shorten its table."""
    rows = pd.DataFrame(read_manifest(version / "manifest.parquet").drop(columns="geometry"))
    rows = without_forgotten(root, rows.merge(pd.read_parquet(version / "labels.parquet"), on="image_id"))
    rows = rows.merge(pd.read_parquet(version / "classes.parquet"), on="class_id")
    quality = pd.read_parquet(version / "quality.parquet")
    quality = quality[quality["image_id"].isin(rows["image_id"])].reset_index(drop=True)
    # The table says of some pictures which other one they are like.
    quality["like"] = quality["like"].where(quality["like"].isin(rows["image_id"]), "")
    with atomic_write(version / "quality.parquet") as file:
        quality.to_parquet(file, index=False)
    if rows.empty:
        (version / "quality.html").unlink(missing_ok=True)
        return
    name = f"{version.parent.name}@{version.name}"
    page = quality_page(root, QualityInput(name, str(rows["world"].iloc[0]), quality, rows))
    with atomic_write(version / "quality.html") as file:
        file.write(page)


def _tiles(root: DataRoot, table: pd.DataFrame, reason: str) -> list[dict[str, str]]:
    chosen = one_a_panorama(table) if reason in _OF_PANORAMAS else table
    return [_tile(root, row, reason) for row in chosen.head(SHOWN).to_dict(orient="records")]


def _tile(root: DataRoot, row: dict[Any, Any], reason: str) -> dict[str, str]:
    showable = bool(row["showable"])
    picture = _thumbnail(root.image(str(row["sha256"]))) if showable else None
    return {
        "picture": data_uri(picture, "image/jpeg") if picture else "",
        "why_none": "no picture can be shown" if showable else "its rights do not allow to show it",
        "image_id": str(row["image_id"]),
        "class_name": str(row["class_name"]),
        "position": f"{row['lat']:.5f}, {row['lon']:.5f}",
        "figure": _figure(row, reason),
        "credit": f"{row['attribution']}, {row['license']}",
    }


def _figure(row: dict[Any, Any], reason: str) -> str:
    """Say what was measured that led to the flag."""
    match reason:
        case "near_duplicate":
            return f"like {row['like']}"
        case "duplicate":
            return f"file {str(row['sha256'])[:12]}"
        case "near_grey":
            return f"{100 * row['common_share']:.0f} % in one colour"
        case "too_dark" | "too_bright":
            return f"mean grey level {row['brightness']:.0f} of 255"
        case "low_detail":
            return f"{row['detail']:.1f} grey levels from pixel to pixel"
        case "far_from_request":
            return f"{row['request_km']:.1f} km from the point"
        case "far_from_class":
            return f"{row['class_km']:.1f} km from the middle of the class"
        case _:
            return ""


def _thumbnail(path: Path) -> bytes | None:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (_SIDE, _SIDE))
            small = image.convert("RGB")
            small.thumbnail((_SIDE, _SIDE))
    except UNREADABLE:
        return None
    body = io.BytesIO()
    small.save(body, "JPEG", quality=75)
    return body.getvalue()
