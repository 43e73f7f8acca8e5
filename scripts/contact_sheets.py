"""Draw the contact sheets of the emulated world that docs/emulator.md shows.

In: the world of seed 0. Out: docs/images/contact-sheet-uk.jpg and contact-sheet-us.jpg (or the folder given): a row
a place, looking north, east and south. The labels stand beside the scenes; nothing is written into one.

    python scripts/contact_sheets.py [FOLDER]
"""

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from geolocate.emulator.camera import Camera
from geolocate.emulator.panoramas import nearest_panorama
from geolocate.emulator.scenes import draw_scene
from geolocate.emulator.world import surroundings_at

SEED = 0
SIDE = 256
LABEL = 150
HEADINGS = (0.0, 90.0, 180.0)
#: What the place is, its name, latitude and longitude.
PLACES: dict[str, tuple[tuple[str, str, float, float], ...]] = {
    "uk": (
        ("city", "London, City", 51.513, -0.09),
        ("city", "Glasgow", 55.861, -4.25),
        ("suburb", "Leeds, Headingley", 53.82, -1.58),
        ("town", "Bath", 51.381, -2.359),
        ("town", "Buxton", 53.257, -1.913),
        ("coast", "Brighton, front", 50.813, -0.13),
        ("coast", "St Ives", 50.212, -5.48),
        ("farmland", "Fens, Lincolnshire", 52.83, -0.06),
        ("moor", "Dartmoor", 50.59, -3.93),
        ("highland", "Glen Shiel", 57.16, -5.33),
    ),
    "us": (
        ("city", "Manhattan", 40.755, -73.98),
        ("city", "Los Angeles", 34.06, -118.3),
        ("suburb", "Naperville IL", 41.77, -88.15),
        ("town", "Burlington VT", 44.476, -73.21),
        ("coast", "Miami Beach", 25.79, -80.13),
        ("farmland", "Ames IA", 42.1, -93.8),
        ("plains", "Hays KS", 39.0, -99.6),
        ("desert", "Tucson AZ, west", 32.25, -111.2),
        ("mountain", "Silverton CO", 37.81, -107.66),
        ("forest", "Cascades OR", 44.4, -122.3),
    ),
}


def scenes(lat: float, lon: float) -> list[Image.Image]:
    """The pictures of the panorama nearest to a position."""
    panorama = nearest_panorama(SEED, lat, lon, 5000.0)
    if panorama is None:
        raise SystemExit(f"no panorama within 5 km of {lat}, {lon}")
    place = surroundings_at(SEED, panorama.lat, panorama.lon, panorama.road_bearing, panorama.road_rank)
    if place is None:
        raise SystemExit(f"the ground at {lat}, {lon} is not mapped")
    cameras = [Camera(heading, 0.0, 90.0, SIDE, SIDE) for heading in HEADINGS]
    return [Image.open(io.BytesIO(draw_scene(place, camera, panorama.nuisance))) for camera in cameras]


def sheet(places: tuple[tuple[str, str, float, float], ...]) -> Image.Image:
    """One sheet: a row a place, its label on the left."""
    image = Image.new("RGB", (LABEL + len(HEADINGS) * (SIDE + 4), len(places) * (SIDE + 4)), (255, 255, 255))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for row, (kind, name, lat, lon) in enumerate(places):
        top = row * (SIDE + 4)
        draw.multiline_text((8, top + SIDE // 2), f"{kind}\n{name}", fill=(0, 0, 0), font=font, anchor="lm")
        for column, scene in enumerate(scenes(lat, lon)):
            image.paste(scene, (LABEL + column * (SIDE + 4), top))
    return image


def main() -> None:
    default = Path(__file__).resolve().parent.parent / "docs" / "images"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    for region, places in PLACES.items():
        path = folder / f"contact-sheet-{region}.jpg"
        sheet(places).save(path, quality=82)
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
