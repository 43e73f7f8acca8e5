"""Export as folders and tables: a flat CSV, torchvision's ImageFolder, a GeoPackage.

In: an export job. Out: its folder, filled.
"""

import re
import unicodedata

import geopandas as gpd
import pandas as pd

from geolocate.dataset.export_job import ExportJob

_LONGEST = 40


def write_csv(job: ExportJob) -> None:
    """Write ``images.csv``, one row an image with every column, and the pictures below ``images/``.

    ``file`` is the picture's path from the folder; without pictures, from the data root.
    """
    names = job.rows["image_id"].astype(str)
    files = "images/" + names.str[:2] + "/" + names + ".jpg"
    if job.pictures == "none":
        hashes = job.rows["sha256"].astype(str)
        files = "store/images/" + hashes.str[:2] + "/" + hashes + ".jpg"
    else:
        job.put_all(files)
    _write_table(job, files)


def write_image_folder(job: ExportJob) -> None:
    """Write ``<part>/<class>/<image>.jpg``, ``classes.csv`` and ``images.csv``.

    A folder is made only where there is a picture, so that every part opens; the same class may then have another
    number in each part, which is why ``classes.csv`` gives its folder and one number for all.
    """
    folders = class_folders(job.version.classes)
    names = job.rows["class_id"].map(folders.set_index("class_id")["folder"])
    files = job.rows["part"] + "/" + names + "/" + job.rows["image_id"] + ".jpg"
    job.put_all(files)
    _write_table(job, files)
    counts = pd.crosstab(job.rows["class_id"], job.rows["part"])
    folders.join(counts, on="class_id").fillna(dict.fromkeys(counts.columns, 0)).astype(
        dict.fromkeys(counts.columns, int)
    ).to_csv(job.folder / "classes.csv", index=False)


def write_geopackage(job: ExportJob) -> None:
    """Write ``images.gpkg``: the rows as points in degrees, which every QGIS opens, without pictures."""
    at = gpd.points_from_xy(job.rows["lon"], job.rows["lat"], crs="EPSG:4326")
    points = gpd.GeoDataFrame(job.rows, geometry=at)
    points.to_file(job.folder / "images.gpkg", layer=job.version.ref.name, driver="GPKG")
    job.tell(len(points), len(points))


def class_folders(classes: pd.DataFrame) -> pd.DataFrame:
    """Return the classes with ``label`` (their number, by class id) and ``folder``, a name that every system takes."""
    folders = [folder_name(*pair) for pair in zip(classes["class_name"], classes["class_id"], strict=True)]
    return classes.assign(label=range(len(classes)), folder=folders)


def folder_name(class_name: str, class_id: str) -> str:
    """Name a folder after a class: lower-case ASCII letters, digits and hyphens, and the class id to tell it by.

    Ids that differ in more than the case of letters give names that differ, on systems that ignore case as well.
    """
    ascii_name = unicodedata.normalize("NFKD", class_name).encode("ascii", "ignore").decode().lower()
    readable = re.sub("[^a-z0-9]+", "-", ascii_name)[:_LONGEST].strip("-")
    # What cannot stand in a name is spelt out, so that two ids never fall together.
    exact = "".join(letter if re.match("[a-z0-9]", letter) else f"_{ord(letter):x}_" for letter in class_id.lower())
    return f"{readable}-{exact}" if readable else exact


def _write_table(job: ExportJob, files: "pd.Series[str]") -> None:
    rows = job.rows.copy()
    rows.insert(0, "file", files)
    rows.to_csv(job.folder / "images.csv", index=False)
