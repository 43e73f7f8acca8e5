"""Copy a dataset version out, in a layout that other programs read.

In: the name of a version, a format and a folder. Out: the folder, whole or not there. What was forgotten is left out,
and nothing leaves whose rights forbid passing it on.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geolocate.dataset.attribution import ATTRIBUTION, attribution_text, needs_attribution
from geolocate.dataset.export_archives import write_hugging_face, write_webdataset
from geolocate.dataset.export_folders import write_csv, write_geopackage, write_image_folder
from geolocate.dataset.export_job import ExportJob, Pictures, Progress
from geolocate.dataset.rights import check_rights
from geolocate.dataset.splits import PARTS
from geolocate.dataset.study_layout import write_ukcities, write_ukclip
from geolocate.dataset.versions import DatasetVersion, open_dataset
from geolocate.errors import DatasetError, StorageError
from geolocate.storage import DataRoot, read_json, sha256_of, storage_error, write_json


@dataclass(frozen=True, slots=True)
class Format:
    """A layout: what writes it, which ways pictures can come along (the first is the usual one), and which rows.

    With ``parts_only``, rows that are in no part of the ground (of the buffer, say) stay behind.
    """

    write: Callable[[ExportJob], None]
    about: str
    pictures: tuple[Pictures, ...]
    parts_only: bool = True


FORMATS: dict[str, Format] = {
    "csv": Format(write_csv, "one table, with the pictures beside it", ("copy", "link", "none"), parts_only=False),
    "imagefolder": Format(write_image_folder, "part/class/image.jpg, as torchvision reads it", ("copy", "link")),
    "webdataset": Format(write_webdataset, "tar shards of jpg and json, by part", ("inside",)),
    "huggingface": Format(write_hugging_face, "Parquet with pictures, for datasets.load_dataset", ("inside",)),
    "geopackage": Format(write_geopackage, "points on the map, for QGIS", ("none",), parts_only=False),
    "ukclip": Format(
        write_ukclip, "the study's layout: a CSV a cell, town and coordinates", ("none",), parts_only=False
    ),
    "ukcitiesclip": Format(
        write_ukcities, "the study's layout: one CSV, city and coordinates", ("none",), parts_only=False
    ),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and where."""

    dataset: str
    sha256: str
    format: str
    folder: str
    images: int
    left_behind: int


def export_dataset(
    root: DataRoot,
    name: str,
    format_name: str,
    folder: Path,
    pictures: Pictures | None = None,
    tell: Progress = lambda done, total: None,
) -> Exported:
    """Export a version; an interrupted export leaves nothing behind.

    Raises DatasetError for an unknown format, for pictures in a way that it does not know and for rows that there are
    not, StorageError for a folder that is not empty, RightsError when a row may not be passed on.
    """
    layout = _format(format_name)
    way = _way(format_name, layout, pictures)
    _refuse_full(folder)
    version = open_dataset(root, name)
    rows = version.rows(*PARTS) if layout.parts_only else version.frame
    if rows.empty:
        raise DatasetError(f"dataset {version.ref} has no rows to export: everything was forgotten or left out")
    check_rights(rows, "redistribute")
    behind = len(version.frame) - len(rows)
    done = Exported(str(version.ref), version.ref.sha256, format_name, str(folder.resolve()), len(rows), behind)
    _write_beside(folder, lambda beside: _fill(ExportJob(root, version, rows, beside, way, tell), layout, done))
    _remember(root, version, done)
    return done


def exports_of(root: DataRoot, dataset: str) -> list[dict[str, Any]]:
    """List the copies that were made of a dataset's versions from this data root."""
    return [read_json(path) for path in sorted((root.dataset(dataset) / ".exports").glob("*.json"))]


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise DatasetError(f"unknown format {name!r}: choose one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _way(name: str, layout: Format, pictures: Pictures | None) -> Pictures:
    way = pictures or layout.pictures[0]
    if way not in layout.pictures:
        raise DatasetError(f"format {name!r} cannot have pictures {way!r}: choose one of {', '.join(layout.pictures)}")
    return way


def _refuse_full(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise StorageError(f"{folder} is there and not empty: name a new folder, nothing is overwritten")


def _write_beside(folder: Path, fill: Callable[[Path], None]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        fill(beside)
        beside.chmod(0o755)
        beside.rename(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _fill(job: ExportJob, layout: Format, done: Exported) -> None:
    for page in ("card.md", "coverage.png"):
        if (job.version.path / page).exists():
            shutil.copyfile(job.version.path / page, job.folder / page)
    layout.write(job)
    if needs_attribution(job.rows):
        text = attribution_text(str(job.version.ref), job.rows)
        (job.folder / ATTRIBUTION).write_text(text, encoding="utf-8")
    write_json(job.folder / "export.json", {**_plain(done), "world": job.version.world.value})


def _plain(done: Exported) -> dict[str, Any]:
    """Say what it is, not where it stands: a folder may be moved."""
    return {name: value for name, value in asdict(done).items() if name != "folder"}


def _remember(root: DataRoot, version: DatasetVersion, done: Exported) -> None:
    """Keep where copies went: who has something forgotten wants to know where else it is."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = f"{version.ref.version}-{done.format}-{sha256_of(done.folder.encode())[:12]}.json"
    write_json(root.dataset(version.ref.name) / ".exports" / name, {**asdict(done), "at": at})
