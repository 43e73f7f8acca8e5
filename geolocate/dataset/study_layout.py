"""The study's two tables: UKClip, a CSV a grid cell, and UKCitiesClip, one CSV.

In: an export job. Out: tables that associate a name with coordinates, one row a panorama. Of the study's files only
this much is known; the names of the columns (``town`` or ``city``, ``lat``, ``lng``) and of the files are ours.
``collection.points.read_points`` reads them back, and the obvious other spellings.
"""

from geolocate.dataset.export_job import ExportJob
from geolocate.manifest.panoramas import one_a_panorama


def write_ukclip(job: ExportJob) -> None:
    """Write ``<cell>.csv`` for each grid cell: ``town`` ("Hermitage, Thatcham", an approximation), ``lat, lng``."""
    rows = one_a_panorama(job.rows).sort_values(["town", "panorama_id"])
    for number, (cell, here) in enumerate(rows.groupby("cell"), 1):
        table = here[["town", "lat", "lon"]].rename(columns={"lon": "lng"})
        table.to_csv(job.folder / f"{cell}.csv", index=False, lineterminator="\n")
        job.tell(number, rows["cell"].nunique())


def write_ukcities(job: ExportJob) -> None:
    """Write ``cities.csv``: ``city`` (the class's name after suburbs were merged), ``lat, lng``."""
    rows = one_a_panorama(job.rows).sort_values(["class_name", "panorama_id"])
    table = rows[["class_name", "lat", "lon"]].rename(columns={"class_name": "city", "lon": "lng"})
    table.to_csv(job.folder / "cities.csv", index=False, lineterminator="\n")
    job.tell(len(rows), len(rows))
