"""Read what Panoramax's catalogue says of a picture: an item of a STAC collection.

In: an item, as it came; nothing about it is believed. Out: a panorama with its rights, or why it cannot be used.
"""

import math
from dataclasses import replace
from typing import Any

from geolocate.records import Panorama, Rights, View

NAME = "panoramax"
#: The licences that pictures of the federation are under, by their SPDX ids in lower case.
LICENSES = {"cc-by-sa-4.0": "CC-BY-SA-4.0", "etalab-2.0": "etalab-2.0"}
#: The standard-definition picture is always so wide, in pixels; its height follows from the sensor's.
SD_WIDTH = 2048

Item = dict[str, Any]


def panorama_of(item: Item, rights: Rights) -> Panorama | str:
    """Turn a STAC item into a panorama, without companions; or say why it cannot be used."""
    facts, position = item.get("properties"), position_of(item)
    if not isinstance(facts, dict) or position is None or not item.get("id"):
        return "an item without id, position or properties"
    license_id = LICENSES.get(str(facts.get("license")).lower())
    if license_id is None:
        return f"licence {str(facts.get('license'))[:40]}"
    azimuth = _number(facts.get("view:azimuth"))
    if azimuth is None:
        return "no azimuth"
    camera = facts.get("pers:interior_orientation")
    shape = _shape(camera if isinstance(camera, dict) else {}, azimuth % 360, _number(facts.get("pers:pitch")))
    if isinstance(shape, str):
        return shape
    address = _address(item)
    if address is None:
        return "no picture in standard definition"
    creator = _creator(item, facts)
    return Panorama(
        provider=NAME,
        source_id=str(item["id"]),
        lat=position[0],
        lon=position[1],
        captured=str(facts["datetime"])[:10] if facts.get("datetime") else None,
        rights=replace(rights, license=license_id, attribution=f"© {creator}, Panoramax"),
        sequence_id=str(item["collection"]) if item.get("collection") else None,
        creator=creator,
        camera=_camera(camera),
        address=address,
        **shape,
    )


def _shape(camera: Item, azimuth: float, pitch: float | None) -> dict[str, Any] | str:
    """Return ``azimuth`` of a 360° picture or ``native`` of a flat one; or why neither is known."""
    fov, sensor = _number(camera.get("field_of_view")), camera.get("sensor_array_dimensions")
    if fov is None or not 0 < fov <= 360:
        return "no field of view"
    if camera.get("visible_area"):
        return "a cropped picture"
    if fov == 360:
        return {"azimuth": azimuth}
    sides = [_number(side) for side in sensor] if isinstance(sensor, list) and len(sensor) == 2 else []
    if len(sides) != 2 or not sides[0] or not sides[1] or min(sides[0], sides[1]) <= 0:
        return "no size"
    height = int(sides[1] * SD_WIDTH / sides[0])
    return {"native": View(azimuth, max(-90.0, min(90.0, pitch or 0.0)), fov, SD_WIDTH, height)}


def position_of(item: Item) -> tuple[float, float] | None:
    """Return lat, lon of an item, which GeoJSON gives the other way round."""
    geometry = item.get("geometry")
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    lon, lat = _number(coordinates[0]), _number(coordinates[1])
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        return None
    return lat, lon


def _address(item: Item) -> str | None:
    assets = item.get("assets")
    asset = assets.get("sd") if isinstance(assets, dict) else None
    href = str(asset.get("href") or "") if isinstance(asset, dict) else ""
    return href if href.startswith(("https://", "http://")) else None


def _creator(item: Item, facts: Item) -> str:
    """Name who made the picture: the account, or the first producer that the item lists."""
    listed = [
        one for one in item.get("providers") or () if isinstance(one, dict) and "producer" in one.get("roles", ())
    ]
    named = facts.get("geovisio:producer") or next((one.get("name") for one in listed if one.get("name")), None)
    return str(named or "unnamed contributor")


def _camera(camera: object) -> str | None:
    known = camera if isinstance(camera, dict) else {}
    names = [str(known[key]) for key in ("camera_manufacturer", "camera_model") if known.get(key)]
    return " ".join(names) or None


def _number(value: object) -> float | None:
    """Read a finite number; whatever else it may be is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def list_in(values: Item, name: str) -> list[Any]:
    """Return the list under a name; an empty one where there is something else."""
    value = values.get(name)
    return value if isinstance(value, list) else []
