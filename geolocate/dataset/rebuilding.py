"""Make a version again from what is never thrown away, the plans, the ledger and the store, and compare the two.

In: a published version. Out: whether the same content comes of its collections' plans and the ledger's answers, without
a picture being bought; and its tables in place again where they were damaged or lost.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from geolocate.collection.collect import collect
from geolocate.collection.records import CollectRequest
from geolocate.collection.rounds import settings_of
from geolocate.collection.shards import files_of, read_plan
from geolocate.dataset.lineage import hash_of_file
from geolocate.dataset.publishing import PublishRequest, publish
from geolocate.dataset.versions import DatasetRef, version_path
from geolocate.errors import DatasetError
from geolocate.records import View
from geolocate.settings import Settings
from geolocate.storage import DataRoot, atomic_write, read_json

#: What a collection starts from; all else is made of it.
_STARTED_FROM = ("plan.parquet", "collection.json", "round.json")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of the plans and the ledger.

    ``same`` says whether it is the version's content; ``mended`` names the tables that were put in place again.
    """

    version: DatasetRef
    rebuilt: DatasetRef
    images: int
    metadata_requests: int
    mended: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the content is the same, by its hash."""
        return self.rebuilt.sha256 == self.version.sha256


def rebuild_version(root: DataRoot, name: str, settings: Settings) -> Rebuilt:
    """Make a version again beside the data root's own, and mend what is damaged where the two are the same.

    Only what the ledger does not know is asked for, free of charge; no picture is. Raises DatasetError where there is
    no such version, CollectionError where a collection's plan is gone, and what collecting raises.
    """
    path = version_path(root, name)
    card = read_json(path / "card.json")
    ref = DatasetRef(card["name"], card["version"], card["sha256"])
    with _beside(root, card["collections"]) as other:
        summaries = [collect(other, *_started(other, one, settings), if_exists="resume") for one in card["collections"]]
        request = PublishRequest.model_validate(
            {name: card[name] for name in PublishRequest.model_fields if name in card}
        )
        made = publish(other, request)
        same = made.sha256 == ref.sha256
        mended = tuple(_mend(path, other.dataset(made.name, made.version), card["files"])) if same else ()
    metadata = sum(one.run_metadata_requests for one in summaries)
    return Rebuilt(ref, made, sum(one.images for one in summaries), metadata, mended)


@contextmanager
def _beside(root: DataRoot, collections: list[str]) -> Iterator[DataRoot]:
    """Give a root with the same store, in which the collections have only been started."""
    with tempfile.TemporaryDirectory(dir=root.path, prefix=".rebuilding-") as folder:
        other = DataRoot(Path(folder))
        (other.path / "store").symlink_to((root.path / "store").resolve(), target_is_directory=True)
        for name in collections:
            files = files_of(root, name)
            other.collection(name).mkdir(parents=True)
            for one in _STARTED_FROM:
                if (files.folder / one).exists():
                    shutil.copy(files.folder / one, other.collection(name))
        yield other


def _started(root: DataRoot, name: str, settings: Settings) -> tuple[CollectRequest, pd.DataFrame]:
    """Return a collection's request, with which nothing can be bought, and its plan."""
    files = files_of(root, name)
    started = read_json(files.request)
    views = tuple(View(**view) for view in started["views"])
    whom = settings_of(files, settings)
    return CollectRequest(name, whom, started["region"], views=views, max_images=0), read_plan(files)


def _mend(version: Path, made: Path, hashes: dict[str, str]) -> Iterator[str]:
    """Replace tables that no longer have the hash in the card; raise DatasetError where other bytes came of them."""
    for name, sha256 in hashes.items():
        if hash_of_file(version / name) == sha256:
            continue
        if hash_of_file(made / name) != sha256:
            raise DatasetError(
                f"{version / name} is damaged; the same rows were made again, in other bytes (another version of the "
                "libraries): publish the dataset again under another name"
            )
        with atomic_write(version / name) as file:
            file.write((made / name).read_bytes())
        yield name
