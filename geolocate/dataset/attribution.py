"""Say whom the pictures are from and what their licences ask for: the file ``ATTRIBUTION`` of a version and its copies.

In: rows with ``rights_basis, license, attribution, creator``. Out: a text for people: per licence its address, what it
asks for, and every creator with the number of pictures and the line by which they want to be named.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd

from geolocate.manifest import read_manifest
from geolocate.manifest.tombstones import without_forgotten
from geolocate.storage import DataRoot, atomic_write

#: The name of the file.
ATTRIBUTION = "ATTRIBUTION"
_WIDE = 100

#: What is dedicated to the public asks for nothing; a version of nothing else needs no file.
_DEDICATED = ("CC0-*", "CC-PDDC", "CC-PDM-*", "PDDL-*", "Unlicense")
_COMMONS = re.compile(r"CC-(BY(?:-NC)?(?:-SA|-ND)?)-(\d\.\d)", re.IGNORECASE)
_ADDRESSES = {
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "etalab-2.0": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
    "ogl-uk-3.0": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    "odbl-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
}
_NAMED = (
    "Name the creator and the licence wherever the picture is shown, link to the licence, and say what was changed."
)
_SHARED = (
    "Share-alike: whoever passes on the picture, or anything adapted from it, does so under the same licence or one "
    "that it names as compatible."
)
_CUT = (
    "Changed here: rows that share a source_id are views cut from one 360° picture; all others are as they were "
    "published."
)


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed for the pictures of one licence, held on one basis; ``creators`` counts who made them."""

    license: str
    rights_basis: str
    address: str
    asks: tuple[str, ...]
    images: int
    creators: int


def needs_attribution(rows: pd.DataFrame) -> bool:
    """Say whether any row is under something else than a dedication to the public."""
    return any(not _is_dedicated(str(name)) for name in rows["license"].unique())


def owed_for(rows: pd.DataFrame) -> list[Owed]:
    """Say per licence and basis what is owed, the most pictures first."""
    return [owed for owed, _ in _owed(_creators(rows))]


def owed_facts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the same as plain values, for a card."""
    return [asdict(owed) | {"asks": list(owed.asks)} for owed in owed_for(rows)]


def attribution_text(name: str, rows: pd.DataFrame) -> str:
    """Write the file for the rows of ``name``, a dataset version."""
    world = (
        "These pictures show the emulated world: they are no photographs, and nobody of these names made them.\n\n"
        if (rows["world"] == "emulated").any()
        else ""
    )
    head = (
        f"ATTRIBUTION\n\nWhom the {len(rows):,} pictures of {name} are from, and what their licences ask for. Each row "
        f"names its own\nlicense, attribution and creator; the source_id leads to the picture.\n\n{world}"
    )
    return head + "\n".join(_section(owed, creators) for owed, creators in _owed(_creators(rows)))


def rewrite_attribution(root: DataRoot, version: Path) -> None:
    """Write the file of a published version again without what was forgotten since."""
    path = version / ATTRIBUTION
    if not path.exists():
        return
    rows = without_forgotten(root, pd.DataFrame(read_manifest(version / "manifest.parquet").drop(columns="geometry")))
    if rows.empty:
        path.unlink()
        return
    with atomic_write(path) as file:
        file.write(attribution_text(f"{version.parent.name}@{version.name}", rows).encode())


def _creators(rows: pd.DataFrame) -> pd.DataFrame:
    """Count pictures by licence, basis, creator and attribution: one pass over however many rows."""
    keys = ["license", "rights_basis", "creator", "attribution"]
    plain = rows[keys].astype("string").fillna("")
    return plain.groupby(keys, sort=False).size().rename("images").reset_index()


def _owed(creators: pd.DataFrame) -> Iterator[tuple[Owed, pd.DataFrame]]:
    kinds = creators.groupby(["license", "rights_basis"])["images"].sum().reset_index()
    for kind in kinds.sort_values(["images", "license", "rights_basis"], ascending=[False, True, True]).itertuples():
        of_kind = creators[(creators["license"] == kind.license) & (creators["rights_basis"] == kind.rights_basis)]
        license_id, basis = str(kind.license), str(kind.rights_basis)
        asks = tuple(_asks(license_id, basis))
        named = int(of_kind["creator"].where(of_kind["creator"] != "", of_kind["attribution"]).nunique())
        yield Owed(license_id, basis, _address(license_id), asks, int(of_kind["images"].sum()), named), of_kind


def _section(owed: Owed, creators: pd.DataFrame) -> str:
    ordered = creators.sort_values(["images", "creator", "attribution"], ascending=[False, True, True])
    width = len(f"{owed.images:,}")
    lines = [
        f"  {images:>{width},}  {_credit(creator, attribution)}"
        for creator, attribution, images in ordered[["creator", "attribution", "images"]].itertuples(index=False)
    ]
    title = f"{owed.license} ({owed.rights_basis}): {owed.images:,} pictures"
    asked = [line for sentence in owed.asks for line in wrap(sentence, _WIDE)]
    parts = [title, "-" * len(title), *([owed.address] if owed.address else []), *asked, "", *lines]
    return "\n".join(parts) + "\n"


def _credit(creator: str, attribution: str) -> str:
    """Give the line that is asked for, and the creator where it does not name them; on one line, whatever is in it."""
    words = attribution or creator or "nobody is named"
    named = words if not creator or creator in words else f"{words} (by {creator})"
    return " ".join(named.split())


def _asks(license_id: str, basis: str) -> Iterator[str]:
    """Say in a sentence each what whoever uses the pictures owes."""
    if basis.startswith("agreement:"):
        yield f"Held under {basis.partition(':')[2]}: what may be done with them, and how to credit them, stands there."
        yield "It covers whoever made it, not those to whom copies are given."
        return
    if _is_dedicated(license_id):
        yield "Dedicated to the public: nothing is owed; naming the source is good manners."
        return
    if basis == "own":
        yield "Ours, or declared so by who brought them in; passed on under this licence."
    yield _NAMED
    lower = license_id.lower()
    if "-sa-" in lower or lower.startswith("odbl"):
        yield _SHARED
    if "-nc" in lower:
        yield "Non-commercial: not for commercial advantage or payment."
    if "-nd" in lower:
        yield "No derivatives: nothing adapted from the picture is passed on."
    if lower.startswith("etalab"):
        yield "Licence Ouverte: name the producer and when the picture was taken (`captured`)."
    if basis == "open-licence":
        yield _CUT


def _address(license_id: str) -> str:
    """Return where the licence can be read; "" for what has no public text."""
    commons = _COMMONS.fullmatch(license_id)
    if commons:
        return f"https://creativecommons.org/licenses/{commons[1].lower()}/{commons[2]}/"
    if license_id.lower().startswith("licenseref-"):
        return ""
    return _ADDRESSES.get(license_id.lower(), f"https://spdx.org/licenses/{license_id}.html")


def _is_dedicated(license_id: str) -> bool:
    return any(fnmatchcase(license_id.lower(), pattern.lower()) for pattern in _DEDICATED)
