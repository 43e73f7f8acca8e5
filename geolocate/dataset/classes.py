"""The classes of a dataset: what is to be told apart, and the caption that names each.

A class is a ``place_id`` or a ``cell_id``, never a name: the United States have two cities called Columbus among
their 150 largest. Where a name is not unique its caption adds the admin unit.
"""

from typing import Literal

import pandas as pd

from geolocate.geography.grids import grid_cells
from geolocate.geography.places import load_places
from geolocate.geography.regions import Region
from geolocate.geography.towns import town_names

Level = Literal["city", "cell"]


def classes_at(level: Level, region: Region, ids: list[str], cell_km: float) -> pd.DataFrame:
    """Name and caption the classes: ``class_id, class_name, caption``, one row an id, in the order of the ids."""
    names = _city_names(region, ids) if level == "city" else _cell_names(region, ids, cell_km)
    classes = pd.DataFrame({"class_id": ids, "class_name": names})
    template = region.captions["study"]
    classes["caption"] = [template.format(town=name) for name in names]
    return classes


def _city_names(region: Region, ids: list[str]) -> list[str]:
    places = load_places(region).set_index("place_id").loc[ids]
    return _unique(list(places["name"]), list(places["admin1_name"]))


def _cell_names(region: Region, ids: list[str], cell_km: float) -> list[str]:
    """Name a cell after the town at its middle, as the study's UKClip did."""
    cells = grid_cells(region, cell_km).set_index("cell_id").loc[ids]
    towns = town_names(region, cells["lat"].to_numpy(float), cells["lon"].to_numpy(float))
    return _unique([str(town) for town in towns], ids)


def _unique(names: list[str], qualifiers: list[str]) -> list[str]:
    """Add the qualifier to every name that more than one class bears."""
    repeated = {name for name in names if names.count(name) > 1}
    return [
        f"{name}, {qualifier}" if name in repeated else name for name, qualifier in zip(names, qualifiers, strict=True)
    ]
