"""What a dataset version was made of, by hashes: written into its card when it is published.

In: a data root, the collections, the region. Out: hashes of everything that decided what the version holds. Whether
they still agree with what is on the disk is looked up by ``dataset.tracing``.
"""

import hashlib
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import geolocate
from geolocate.geography.partition import partition_version
from geolocate.geography.regions import Region
from geolocate.manifest import SCHEMA_VERSION
from geolocate.storage import DataRoot, sha256_of_file

_DISTRIBUTION = "street-geolocate"
#: The tables of a region that decide what is where; a region of one's own may lack some.
_LAYERS = ("admin.parquet", "boundary.parquet", "dropped_places.csv", "places.csv", "suburb_overrides.csv")
_GIT_S = 10


def lineage_of(
    root: DataRoot, region: Region, collections: Sequence[str], overrides: Path | None = None
) -> dict[str, Any]:
    """Hash what a version of these collections is made of; ``overrides`` is a table of one's own, if there is one."""
    return {
        "collections": {name: collection_hashes(root, name) for name in collections},
        "region": {"fingerprint": region.fingerprint, "layers": layer_hashes(region)},
        "partition_version": partition_version(region),
        "suburb_overrides": hash_of_file(overrides) if overrides else None,
        "schema_version": SCHEMA_VERSION,
        "code": code_version(),
    }


def collection_hashes(root: DataRoot, name: str) -> dict[str, str | None]:
    """Hash a collection's plan, outcomes and manifest; None for what it does not have, as imported rows may."""
    folder = root.collection(name)
    return {
        "plan": hash_of_file(folder / "plan.parquet"),
        "outcomes": hash_of_file(folder / "outcomes.parquet"),
        "manifest": hash_of_folder(folder / "manifest"),
    }


def layer_hashes(region: Region) -> dict[str, str]:
    """Hash the tables of a region."""
    found = {name: hash_of_file(region.data / name) for name in _LAYERS}
    return {name: sha256 for name, sha256 in found.items() if sha256}


def hash_of_file(path: Path) -> str | None:
    """Hash a file, None where there is none."""
    return sha256_of_file(path) if path.is_file() else None


def hash_of_folder(folder: Path) -> str | None:
    """Hash the names and contents of a folder's tables, None where there are none."""
    files = sorted(folder.glob("*.parquet"))
    listing = "".join(f"{sha256_of_file(path)}  {path.name}\n" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest() if files else None


def code_version() -> dict[str, str | None]:
    """Return the library's version and, in a checkout of it, the commit, with "-dirty" after it for edited files."""
    try:
        released = version(_DISTRIBUTION)
    except PackageNotFoundError:
        released = geolocate.__version__
    return {"version": released, "commit": _commit(Path(geolocate.__file__).parents[1])}


def _commit(checkout: Path) -> str | None:
    # Installed among other packages, the library may lie within somebody else's checkout.
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_S)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
