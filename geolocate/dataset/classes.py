"""The classes of a dataset: what is to be told apart, and the caption that names each.

A class is a ``place_id`` or a ``cell_id``, never a name: the United States have two cities called Columbus among
their 150 largest. Where a name is not unique its caption adds the admin unit.
"""

from collections import Counter
from typing import Literal

import pandas as pd

from geolocate.errors import DatasetError
from geolocate.geography.grids import grid_cells
from geolocate.geography.places import load_places
from geolocate.geography.regions import Region
from geolocate.geography.towns import locality_names, town_names

Level = Literal["city", "cell", "town"]

#: Which column of the labels holds a level's class. A town's class is its locality: its name is not unique.
CLASS_COLUMN: dict[Level, str] = {"city": "city", "cell": "cell", "town": "town_id"}


def check_level(region: Region, level: Level) -> None:
    """Raise DatasetError when the region's file does not list the level."""
    if level not in region.levels:
        raise DatasetError(
            f"level {level!r}: region {region.name!r} offers {', '.join(region.levels)}; choose one of them, or add it "
            "to `levels` in the region's file"
        )


def classes_at(level: Level, region: Region, ids: list[str], cell_km: float) -> pd.DataFrame:
    """Name and caption the classes: ``class_id, class_name, caption``, one row an id, in the order of the ids."""
    if level == "cell":
        names = _cell_names(region, ids, cell_km)
    else:
        places = (
            load_places(region) if level == "city" else locality_names(region).assign(name=lambda rows: rows["town"])
        )
        names = _place_names(places.set_index("place_id").loc[ids])
    classes = pd.DataFrame({"class_id": ids, "class_name": names})
    template = region.captions["study"]
    classes["caption"] = [template.format(town=name) for name in names]
    return classes


def _place_names(places: pd.DataFrame) -> list[str]:
    """Add to a name that is not unique the first of its units that tells it from its namesakes."""
    names = pd.Series(places["name"].to_numpy(object))
    units = [places["admin1_name"], places["county"], places["admin2"], places.index.to_series()]
    for unit in units:
        told = names + ", " + unit.to_numpy(object)
        repeated = names.duplicated(keep=False)
        helps = repeated & ~told.duplicated(keep=False).groupby(names).transform("any") & (unit.to_numpy() != "")
        names = names.where(~helps, told)
    return names.tolist()


def _cell_names(region: Region, ids: list[str], cell_km: float) -> list[str]:
    """Name a cell after the town at its middle, as the study's UKClip did."""
    cells = grid_cells(region, cell_km).set_index("cell_id").loc[ids]
    towns = town_names(region, cells["lat"].to_numpy(float), cells["lon"].to_numpy(float))
    count = Counter(str(town) for town in towns)
    return [f"{town}, {cell_id}" if count[town] > 1 else str(town) for town, cell_id in zip(towns, ids, strict=True)]
