"""Pass a collection on without its pictures: panorama IDs and views, from which others fetch it under their own key.

In: a collection, or a file of IDs. Out: the file, one row a picture; or a plan that looks its panoramas up by their
IDs. Google's terms let IDs be kept, and the positions that were asked for are one's own; the panorama's position is
Google's, and stays behind.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geolocate.collection.shards import files_of, read_plan
from geolocate.collection.wanted_views import VIEWS, as_text
from geolocate.errors import CollectionError, PlanError
from geolocate.manifest import read_manifest
from geolocate.manifest.tombstones import without_forgotten
from geolocate.providers.registry import source_of, world_of
from geolocate.records import View
from geolocate.settings import Settings
from geolocate.storage import DataRoot, atomic_write, read_json

FORMAT = "panorama-ids 1"
#: Whose positions of panoramas are not passed on, and whose panoramas can be looked up by their IDs.
KEPT_BACK = BY_ID = "google"
_SHARD_SIZE = 100
_VIEW = ["heading", "pitch", "fov", "width", "height"]
_POINT = ["point_id", "group_id", "requested_lat", "requested_lon", "radius_m", "sample_weight"]
_COLUMNS = ["provider", "source_id", "panorama_id", *_VIEW, *_POINT]


@dataclass(frozen=True, slots=True)
class IdPlan:
    """What a file of IDs asks for: a plan, whose column `views` tells where panoramas differ, and all views of it."""

    plan: pd.DataFrame
    views: tuple[View, ...]


def export_ids(root: DataRoot, name: str, out: Path, *, hashes: bool = False) -> int:
    """Write the IDs and views of a collection's pictures as Parquet; return how many rows there are.

    ``hashes`` adds the pictures' sha256. A position that was asked for is left out where it is the panorama's own to
    the digit: then it was not asked for, but read off. Raises CollectionError for a collection of own photographs,
    whose IDs mean nothing to others.
    """
    files = files_of(root, name)
    rows = pd.DataFrame(without_forgotten(root, read_manifest(files.manifest)).drop(columns="geometry"))
    if (rows["provider"] == "folder").any():
        raise CollectionError(f"{name!r} holds photographs of a folder: nobody else can look up their IDs")
    radius_m = read_plan(files).drop_duplicates("point_id").set_index("point_id")["radius_m"]
    rows["radius_m"] = rows["point_id"].map(radius_m)
    kept_back = (rows["provider"] == KEPT_BACK).to_numpy()
    same = ((rows["requested_lat"] == rows["lat"]) & (rows["requested_lon"] == rows["lon"])).to_numpy()
    rows.loc[kept_back & same, ["requested_lat", "requested_lon"]] = np.nan
    rows.loc[kept_back, ["lat", "lon"]] = np.nan
    columns = _COLUMNS + ([] if kept_back.all() else ["lat", "lon"]) + (["sha256"] if hashes else [])
    table = pa.Table.from_pandas(rows[columns], preserve_index=False)
    started = read_json(files.request)
    told = {"format": FORMAT, "region": started["region"], "world": started["world"]}
    with atomic_write(out) as file:
        pq.write_table(table.replace_schema_metadata(told), file, compression="zstd")
    return len(rows)


def plan_of_ids(path: Path, region: str, settings: Settings) -> IdPlan:
    """Plan one point a panorama; the point keeps its id, group and the position that was asked for.

    Every panorama is asked for the views that the file has of it. Raises PlanError for a file that is no list of
    IDs, of another region or world, or of another provider than the settings name.
    """
    table = _read(path)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    rows = table.to_pandas()
    providers = sorted(rows["provider"].unique())
    client, world = source_of(settings).client.name, str(world_of(settings))
    if providers != [BY_ID]:
        raise PlanError(
            f"{path} holds panoramas of {', '.join(providers) or 'nobody'}: only those of {BY_ID} can be looked up by "
            "their IDs"
        )
    if client != BY_ID:
        raise PlanError(f"{path} holds panoramas of {BY_ID}, the provider is {client}: set GEOLOCATE_PROVIDER={BY_ID}")
    if metadata["world"] != world:
        raise PlanError(f"{path} is of the {metadata['world']} world, the provider shows the {world} one: use its own")
    if metadata["region"] != region:
        raise PlanError(
            f"{path} is of the region {metadata['region']}, not {region}: say --region {metadata['region']}"
        )
    return IdPlan(_plan(rows), _views(rows))


def _read(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise PlanError(f"{path} cannot be read ({type(error).__name__}): give a file of data export-ids") from None
    found = (table.schema.metadata or {}).get(b"format", b"").decode()
    missing = [name for name in _COLUMNS if name not in table.schema.names]
    if found != FORMAT or missing:
        raise PlanError(f"{path} is no file of data export-ids ({found or 'no format'}, {FORMAT} is read)")
    return table


def _plan(rows: pd.DataFrame) -> pd.DataFrame:
    panoramas = rows.drop_duplicates("source_id").reset_index(drop=True)
    # Files that were put together may number their points alike.
    point_id = panoramas["point_id"].mask(panoramas["point_id"].duplicated(keep=False), panoramas["source_id"])
    plan = pd.DataFrame(
        {
            "point_id": point_id,
            "draw": 0,
            "group_id": panoramas["group_id"],
            "group_name": panoramas["group_id"],
            "lat": panoramas["requested_lat"],
            "lon": panoramas["requested_lon"],
            "radius_m": panoramas["radius_m"],
            "sample_weight": panoramas["sample_weight"],
            "source_id": panoramas["source_id"],
        }
    ).sort_values(["group_id", "point_id"], ignore_index=True)
    plan = plan.assign(shard=plan.index // _SHARD_SIZE)
    wanted = {source: as_text(_views(mine)) for source, mine in rows.groupby("source_id")}
    if len(set(wanted.values())) == 1:
        return plan
    return plan.assign(**{VIEWS: plan["source_id"].map(wanted)})


def _views(rows: pd.DataFrame) -> tuple[View, ...]:
    different = rows[_VIEW].drop_duplicates().sort_values(_VIEW)
    return tuple(
        View(float(heading), float(pitch), float(fov), int(width), int(height))
        for heading, pitch, fov, width, height in different.itertuples(index=False, name=None)
    )
