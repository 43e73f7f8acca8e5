"""What the split costs, and what each rule against shared capture drives would cost, on the emulated world.

    python benchmarks/splits.py

Plans are made as `geolocate data plan` makes them and each point takes the nearest panorama of the emulated world; no
picture is drawn. The emulator knows which drive took a panorama, which no provider tells: so what a rule misses can be
counted. "shares a drive" is the part of the training rows left whose drive also took a test row.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from geolocate.collection.plan import PlanRequest, make_plan
from geolocate.dataset.labels import LabelSettings, label_panoramas
from geolocate.dataset.splits import LEFT_OUT, shares_drive, split_costs, split_panoramas
from geolocate.emulator.panoramas import nearest_panorama
from geolocate.emulator.world import WORLD_VERSION
from geolocate.geography.partition import ground_partition, partition_version
from geolocate.geography.regions import load_region

COLLECTIONS = {
    "uk-cities-50, 22 a city": (PlanRequest(top=50, per_place=22), LabelSettings(50, 50.0)),
    "uk-cities-50, 117 a city": (PlanRequest(top=50, per_place=117), LabelSettings(50, 50.0)),
    "uk-cities-150, 18 a city": (PlanRequest(top=150, per_place=18), LabelSettings(150, 50.0)),
    "uk-grid-50km, 4 a cell": (PlanRequest(kind="grid", per_place=4), LabelSettings(50, 50.0)),
    "us-grid-200km, 4 a cell": (PlanRequest(region="us", kind="grid", per_place=4), LabelSettings(50, 200.0)),
}
REACHES_KM = (2.0, 5.0, 10.0)


def collected(request: PlanRequest) -> pd.DataFrame:
    """The panoramas that a collection of the plan would find, with the drive that took each."""
    rows = [row for _, draws in make_plan(request).groupby("point_id", sort=False) for row in _first_found(draws)]
    columns = ["source_id", "lat", "lon", "captured", "drive"]
    found = pd.DataFrame(rows, columns=columns).drop_duplicates("source_id", ignore_index=True)
    return found.assign(panorama_id=found["source_id"], sequence_id=None)


def _first_found(draws: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    for draw in draws.itertuples():
        found = nearest_panorama(0, draw.lat, draw.lon, draw.radius_m)
        if found and found.copyright.endswith("Google"):
            yield found.pano_id, found.lat, found.lon, found.date, found.nuisance >> 32
            return


def rules(rows: pd.DataFrame, region_name: str) -> dict[str, str]:
    """What each rule takes of the training rows, and how many of the rest share a drive with a test row even so."""
    ground = ground_partition(load_region(region_name), rows["lat"], rows["lon"])
    test = (ground["part"] == "test").to_numpy()
    train = ((ground["part"] == "train") & ~ground["in_buffer"]).to_numpy()
    month = rows["captured"]
    units = {"locality": rows["town"], "larger town": rows["town"].str.split(", ").str[-1], "class": rows["class_id"]}
    found = {"no rule": np.zeros(len(rows), dtype=bool)}
    found |= {f"{name} × month": _units(town + month, test) for name, town in units.items()}
    found |= {f"locality or {km:g} km × month": shares_drive(rows, test, km) for km in REACHES_KM}
    same_drive = _units(rows["drive"], test)
    return {name: f"{out[train].mean():.1%} → {same_drive[train & ~out].mean():.1%}" for name, out in found.items()}


def _units(units: pd.Series, test: np.ndarray) -> np.ndarray:
    return units.isin(units[test].unique()).to_numpy()


def main() -> None:
    costs, compared = Table(title="Panoramas by part"), Table(title="Training rows lost → left that share a drive")
    for name, (request, settings) in COLLECTIONS.items():
        region = load_region(request.region)
        found = collected(request)
        rows = found.merge(label_panoramas(region, found, settings), on="panorama_id")
        rows["class_id"] = rows["city" if request.kind == "cities" else "cell"]
        rows = rows[rows["class_id"] != ""].reset_index(drop=True)
        cost = split_costs(split_panoramas(region, rows).assign(class_id=rows["class_id"]))
        without = {f"classes without {part}": len(ids) for part, ids in cost["classes_without"].items()}
        line = {"panoramas": cost["panoramas"], **cost["by_part"], **cost["left_out"], "in the sample": cost["sample"]}
        _add(costs, {"": name, **line, "classes": cost["classes"], **without})
        _add(compared, {"": name, **rules(rows, request.region)})
    console = Console(width=240)
    versions = ", ".join(partition_version(load_region(name)) for name in ("uk", "us"))
    console.print(f"emulated world {WORLD_VERSION}, seed 0; partitions {versions}; left out: {', '.join(LEFT_OUT)}")
    console.print(costs)
    console.print(compared)


def _add(table: Table, line: dict[str, object]) -> None:
    if not table.columns:
        for name in line:
            table.add_column(name, justify="right" if name else "left")
    table.add_row(*(str(value) for value in line.values()))


if __name__ == "__main__":
    main()
