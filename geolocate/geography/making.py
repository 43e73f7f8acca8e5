"""Make a region out of a user's own files: a boundary, a table of places, and a few words.

In: a ``RegionRecipe``. Out: a folder with the region's TOML file and its data, ready for every command that takes a
region. The same inputs give the same bytes.
"""

import hashlib
import json
import math
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import geopandas as gpd
import jinja2
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from geolocate.errors import RegionError
from geolocate.geography.boundaries import admin_units, boundary_of
from geolocate.geography.gazetteer import read_gazetteer
from geolocate.geography.grids import LEAST_CELL_KM
from geolocate.geography.outlines import InputFile, read_land, read_polygons
from geolocate.geography.places import COLUMNS
from geolocate.geography.projections import geometry_to_degrees, geometry_to_metres
from geolocate.geography.regions import Region, Zone, load_region, region_names
from geolocate.geography.zoning import choose_zone, distortion, extent_of
from geolocate.storage import safe_name, storage_error

#: Beyond the coast tolerance of any region by far.
_NEIGHBOUR_REACH_M = 20_000.0
_NICE_KM = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500)
_USUAL_CELLS = 150
_TOLERANCE_M = {True: 4000.0, False: 1000.0}  # by whether the neighbours' land is known
_ADMIN = ("admin1", "admin1_name", "admin2", "admin2_name")


@dataclass(frozen=True, slots=True)
class RegionRecipe:
    """What a region is made of; None leaves the choice to the program."""

    name: str
    title: str
    country: str
    driving_side: Literal["left", "right"]
    boundary: InputFile
    places: InputFile
    neighbours: InputFile | None = None
    admin: InputFile | None = None
    crs: str | None = None
    grid_km: float | None = None
    coast_tolerance_m: float | None = None

    @property
    def inputs(self) -> dict[str, InputFile]:
        """The files, by what they are for."""
        named = {"boundary": self.boundary, "places": self.places, "neighbours": self.neighbours, "admin": self.admin}
        return {role: file for role, file in named.items() if file is not None}


@dataclass(frozen=True)
class MadeRegion:
    """A region's file, the region, and the places that were left out: name, lat, lon, population, reason."""

    file: Path
    region: Region
    left_out: pd.DataFrame


def make_region(recipe: RegionRecipe, folder: Path) -> MadeRegion:
    """Write the region into a folder that is not there yet, whole or not at all.

    Raises RegionError for a name that is taken, and for inputs that are not what they should be.
    """
    if safe_name(recipe.name) in region_names():
        raise RegionError(f"name {recipe.name!r} is that of a region which travels with the library: choose another")
    if folder.exists() and any(folder.iterdir()):
        raise RegionError(f"{folder} is there already, perhaps edited by hand: choose another folder, or remove it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
            made = Path(scratch) / "region"
            left_out = _write_all(recipe, made)
            made.replace(folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    file = folder / f"{recipe.name}.toml"
    return MadeRegion(file, load_region(str(file)), left_out)


def _write_all(recipe: RegionRecipe, folder: Path) -> pd.DataFrame:
    """Write every file; the region's own boundary decides which places belong."""
    (folder / "data").mkdir(parents=True)
    land = read_land(recipe.boundary)
    gazetteer = read_gazetteer(recipe.places)
    zone = choose_zone(recipe.name, land, recipe.crs)
    file = folder / f"{recipe.name}.toml"
    file.write_text(_toml(recipe, land, zone), "utf-8")
    region = load_region(str(file))
    _boundary_rows(recipe, zone, land).to_parquet(region.data / "boundary.parquet", index=False)
    _admin_rows(recipe, zone, land).to_parquet(region.data / "admin.parquet", index=False)
    inside = boundary_of(region).contains(gazetteer["lat"], gazetteer["lon"])
    if not inside.any():
        raise _all_outside(recipe, land, gazetteer)
    _write_csv(region.data / "places.csv", _with_units(region, gazetteer[inside]))
    _write_csv(region.data / "dropped_places.csv", pd.DataFrame(columns=["place_id", "name", "reason"]))
    _write_csv(region.data / "suburb_overrides.csv", pd.DataFrame(columns=["place_id", "parent_id", "reason"]))
    left_out = gazetteer.loc[~inside, ["place_id", "name", "lat", "lon", "population"]]
    left_out = left_out.assign(reason="outside the boundary and its coast tolerance")
    _write_csv(region.data / "left_out_places.csv", left_out)
    (region.data / "SOURCES.md").write_text(_sources(recipe), "utf-8")
    return left_out.reset_index(drop=True)


def _toml(recipe: RegionRecipe, land: BaseGeometry, zone: Zone) -> str:
    template = (files("geolocate.geography") / "templates" / "region.toml.j2").read_text("utf-8")
    environment = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    land_km2 = geometry_to_metres(zone.crs, land).area / 1e6
    tolerance = recipe.coast_tolerance_m
    return environment.from_string(template).render(
        quoted=lambda text: json.dumps(text, ensure_ascii=False),
        name=recipe.name,
        title=recipe.title,
        country=recipe.country,
        driving_side=recipe.driving_side,
        zone=zone,
        diagonal_km=round(max(extent_of(land).diagonal_km, 0.1), 1),
        grid_km=_grid_km(recipe, land_km2),
        coast_tolerance_m=_TOLERANCE_M[recipe.neighbours is not None] if tolerance is None else float(tolerance),
        land_km2=f"{land_km2:,.0f}",
        stretch=f"{100 * (distortion(zone.crs, land).stretch - 1):.1f}",
    )


def _grid_km(recipe: RegionRecipe, land_km2: float) -> float:
    if land_km2 < LEAST_CELL_KM**2:
        raise RegionError(
            f"{recipe.boundary.path.name} encloses {land_km2:.3g} km²: the smallest cell has {LEAST_CELL_KM**2:g} km²"
        )
    asked = suggested_grid_km(land_km2) if recipe.grid_km is None else float(recipe.grid_km)
    if not LEAST_CELL_KM <= asked <= math.sqrt(land_km2):
        raise RegionError(
            f"cells of {asked:g} km: choose {LEAST_CELL_KM:g} to {math.floor(math.sqrt(land_km2))} km for "
            f"{land_km2:,.0f} km² of land; a larger cell would have more ground than the region"
        )
    return asked


def suggested_grid_km(land_km2: float) -> float:
    """Return the nice cell size that gives about as many cells as are usual, and is not larger than the land."""
    fitting = [size for size in _NICE_KM if size**2 <= land_km2] or [_NICE_KM[0]]
    return float(min(fitting, key=lambda size: abs(math.log(land_km2 / size**2 / _USUAL_CELLS))))


def _boundary_rows(recipe: RegionRecipe, zone: Zone, land: BaseGeometry) -> gpd.GeoDataFrame:
    roles, geometry = ["land"], [land]
    if recipe.neighbours:
        metres = geometry_to_metres(zone.crs, land)
        south, west, north, east = np.array(zone.boxes).T
        boxes = shapely.union_all(shapely.box(west, south, east, north))
        near = geometry_to_metres(zone.crs, shapely.intersection(read_land(recipe.neighbours), boxes))
        reach = shapely.simplify(metres, 500.0).buffer(_NEIGHBOUR_REACH_M, quad_segs=2)
        strip = shapely.make_valid(near).intersection(reach).difference(shapely.make_valid(metres))
        if not strip.is_empty:
            roles.append("neighbour")
            geometry.append(geometry_to_degrees(zone.crs, strip))
    return gpd.GeoDataFrame({"zone": zone.name, "role": roles}, geometry=geometry, crs="EPSG:4326")


def _admin_rows(recipe: RegionRecipe, zone: Zone, land: BaseGeometry) -> gpd.GeoDataFrame:
    """Return the user's units, or one unit over the whole land."""
    if recipe.admin is None:
        values = {"zone": [zone.name], **dict(zip(_ADMIN, [[recipe.country], [recipe.title]] * 2, strict=True))}
        return gpd.GeoDataFrame(values, geometry=[land], crs="EPSG:4326")
    units = read_polygons(recipe.admin)
    missing = [name for name in _ADMIN if name not in units]
    if missing:
        raise RegionError(
            f"admin file {recipe.admin.path.name} has no column {', '.join(missing)}: it needs {', '.join(_ADMIN)}"
        )
    units = units[units.intersects(land)].assign(zone=zone.name)
    if units.empty:
        raise RegionError(f"admin file {recipe.admin.path.name}: none of its units touches the boundary")
    units = units.astype(dict.fromkeys(_ADMIN, str))
    return units.sort_values(list(_ADMIN), kind="stable", ignore_index=True)[["zone", *_ADMIN, "geometry"]]


def _with_units(region: Region, places: pd.DataFrame) -> pd.DataFrame:
    """Add the admin unit in which each place lies, where the table of places did not name one."""
    places = places.reset_index(drop=True)
    found = boundary_of(region).admin(places["lat"], places["lon"])
    names = admin_units(region).drop_duplicates("admin1").set_index("admin1")["admin1_name"]
    for column in ("admin1", "admin2"):
        places[column] = places[column].where(places[column] != "", found[column])
    told = places["admin1_name"]
    places["admin1_name"] = told.where(told != "", places["admin1"].map(names).fillna(places["admin1"]))
    return places.sort_values(["population", "place_id"], ascending=[False, True])[COLUMNS]


def _all_outside(recipe: RegionRecipe, land: BaseGeometry, places: pd.DataFrame) -> RegionError:
    box = extent_of(land)
    first = places.iloc[0]
    return RegionError(
        f"all {len(places)} places of {recipe.places.path.name} lie outside {recipe.boundary.path.name} (lat "
        f"{box.south:.2f} to {box.north:.2f}, lon {box.west:.2f} to {box.east:.2f}); the first is {first['name']} at "
        f"lat {first['lat']:g}, lon {first['lon']:g}: are lat and lon swapped, or is it another country's table?"
    )


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")


def _sources(recipe: RegionRecipe) -> str:
    lines = [
        f"# Sources: {recipe.title}",
        "",
        "Made by `geolocate region make`; the same files give the same bytes. `dropped_places.csv` and "
        "`suburb_overrides.csv` are yours to edit.",
        "",
        "Changes against the sources: polygons brought to WGS84 and to 6 decimals, the neighbours' land cut to a strip "
        "beside the region; places outside left out (`left_out_places.csv`), each given the admin unit in which it "
        "lies.",
    ]
    for role, file in recipe.inputs.items():
        digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
        lines += ["", f"## {role}: {file.path.name}", "", file.source, "", f"sha256: `{digest}`"]
    return "\n".join(lines) + "\n"
